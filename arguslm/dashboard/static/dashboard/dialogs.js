// Questions before something that cannot be undone.

/**
 * @param {string} question
 * @param {string} verb what the button says that goes on
 * @param {boolean} isDanger
 * @returns {Promise<boolean>}
 */
export function ask(question, verb, isDanger) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.id = "question";
  text.textContent = question;
  dialog.setAttribute("aria-labelledby", text.id);
  const form = document.createElement("form");
  form.method = "dialog";
  form.className = "row";
  form.append(answer("Leave it", "", ""), answer(verb, "yes", isDanger ? "main danger" : "main"));
  dialog.append(text, form);
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    dialog.showModal();
  });
}

/** @param {string} text @param {string} value @param {string} className */
function answer(text, value, className) {
  const button = document.createElement("button");
  button.value = value;
  button.textContent = text;
  button.className = className;
  return button;
}
