export default function ({ data, parentElement }) {
  const root = rootOf(parentElement, "document");
  const told = JSON.stringify(data.blocks);
  if (root.told === told) return;
  root.told = told;
  root.replaceChildren();
  drawBlocks(data.blocks, root);
}
