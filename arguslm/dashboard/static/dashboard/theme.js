// Loaded before the first paint, so that a remembered theme does not flash.
(() => {
  const stored = () => {
    try { return localStorage.getItem("arguslm-theme"); } catch { return null; }
  };
  const theme = stored();
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
