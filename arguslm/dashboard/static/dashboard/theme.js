// Loaded before the first paint, so that a remembered theme does not flash. The admin remembers it
// under the same name.
(() => {
  const root = document.documentElement;
  root.classList.remove("no-script");
  const stored = () => {
    try { return localStorage.getItem("theme"); } catch { return null; }
  };
  const theme = stored();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
