// When this browser was here before: kept in it alone, and told to the page. A visit lasts as long as its tab.
export default function ({ parentElement, setStateValue }) {
  const root = rootOf(parentElement, "visit");
  if (root.told) return;
  root.told = true;
  const name = "aftertrace-visit";
  try {
    if (sessionStorage.getItem(name) === null) sessionStorage.setItem(name, localStorage.getItem(name) ?? "");
    const before = Number(sessionStorage.getItem(name));
    localStorage.setItem(name, String(Date.now()));
    if (before > 0) setStateValue("since_ms", before);
  } catch {
    // A browser that keeps nothing has no visit before.
  }
}
