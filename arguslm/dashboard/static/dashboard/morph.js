// Makes a part of the page equal to a newer copy of it, touching only what differs: focus,
// selection and the pointer's place survive.

/** @param {Element} element @param {Element} newer */
const isSameTime = (element, newer) =>
  element.nodeName === "TIME" && element.getAttribute("datetime") === newer.getAttribute("datetime");

/**
 * @param {Node} current
 * @param {Node} newer
 */
export function morph(current, newer) {
  if (current.isEqualNode(newer)) return;
  if (current.nodeName !== newer.nodeName || current.nodeType !== newer.nodeType) {
    /** @type {ChildNode} */ (current).replaceWith(document.importNode(newer, true));
    return;
  }
  if (!(current instanceof Element)) {
    current.nodeValue = newer.nodeValue;
    return;
  }
  const target = /** @type {Element} */ (newer);
  if (isSameTime(current, target)) return;
  morphAttributes(current, target);
  morphChildren(current, target);
}

/** What the reader or a running action has changed stays as it is. */
const KEPT = new Set(["open", "hidden", "aria-busy"]);

/** @param {Element} current @param {Element} newer */
function morphAttributes(current, newer) {
  for (const { name, value } of newer.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  for (const { name } of [...current.attributes]) {
    if (!newer.hasAttribute(name) && !KEPT.has(name)) current.removeAttribute(name);
  }
}

/** @param {Element} current @param {Element} newer */
function morphChildren(current, newer) {
  const known = new Map([...current.children].filter((e) => e.id).map((e) => [e.id, e]));
  let place = current.firstChild;
  for (const wanted of newer.childNodes) {
    const id = wanted instanceof Element ? wanted.id : "";
    const match = id ? known.get(id) : place && !keyOf(place) ? place : null;
    if (!match) {
      current.insertBefore(document.importNode(wanted, true), place);
    } else if (match === place) {
      place = place.nextSibling;
      morph(match, wanted);
    } else {
      current.insertBefore(match, place);
      morph(match, wanted);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** @param {Node} node */
function keyOf(node) {
  return node instanceof Element ? node.id : "";
}
