// How large a benchmark would be, said while its form is filled in.

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-sizes]"))) {
  const line = form.querySelector("[data-size]");
  const number = (/** @type {string} */ name) => Number(/** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value);
  const tell = () => {
    const models = form.querySelectorAll("[data-picker=model_ids] .chosen li").length;
    const [runs, tokens] = [number("num_runs"), number("max_tokens")];
    if (!line || !models || !runs) return;
    const requests = models * runs;
    const most = (requests * tokens).toLocaleString("en-US");
    const few = runs < 5 ? " Fewer than 5 runs per model show points only." : runs < 20 ? " 20 runs per model are needed for a P95." : "";
    line.textContent = `${requests.toLocaleString("en-US")} requests, at most ${most} tokens of answers.${few}`;
  };
  form.addEventListener("input", tell);
  form.addEventListener("change", tell);
  form.addEventListener("chosen", tell);
  tell();
}
