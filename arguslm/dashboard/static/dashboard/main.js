import * as actions from "./actions.js";
import * as bell from "./bell.js";
import * as filter from "./filter.js";
import * as forms from "./forms.js";
import { keepLive } from "./live.js";
import * as menu from "./menu.js";
import * as shortcuts from "./shortcuts.js";
import { showTimes } from "./times.js";

/** A link to a folded part of the page opens it. */
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

menu.listen();
shortcuts.listen();
actions.listen();
forms.listen();
filter.listen();
keepLive();
bell.listen();
showTimes();
setInterval(showTimes, 1000);
addEventListener("hashchange", openTarget);
openTarget();
