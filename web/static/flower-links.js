
// Appended to Flower's own script: jobs and batches that its tables name lead to the dashboard.
(() => {
  const named = /^(jobs?) ([\d, .]+?)(?: of batch (\d+) (.*))?: (\w+ by \S+)$/s;
  const anchor = (path, text) =>
    Object.assign(document.createElement("a"), { href: `${MEDIAJOBS_DASHBOARD}${path}`, textContent: text });
  const link = (cell) => {
    const found = cell.childElementCount ? null : named.exec(cell.textContent.trim());
    if (!found) return;
    const [, what, jobs, batch, name, how] = found;
    const parts = [`${what} `, ...jobs.split(", ").flatMap((id) => [id === "..." ? id : anchor(`/jobs/${id}`, id), ", "]).slice(0, -1)];
    if (batch) parts.push(" of batch ", anchor(`/batches/${batch}`, `${batch} ${name}`));
    cell.replaceChildren(...parts, `: ${how}`);
  };
  const linkAll = () => document.querySelectorAll("td, .detail-code code").forEach(link);
  new MutationObserver(linkAll).observe(document.body, { childList: true, subtree: true });
  linkAll();
})();
