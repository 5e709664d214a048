// Applies the theme that the reader chose before the page is painted. Without a choice the system's theme is used.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Without storage there is no choice to apply.
}
