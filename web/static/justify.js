// Justified rows: photos of one height side by side, each row as wide as the page.

export const GAP = 4;

/** Widths over heights beyond these are shown cropped. */
const NARROWEST = 0.5;
const WIDEST = 3;

export const shape = ({ width, height }) => Math.min(WIDEST, Math.max(NARROWEST, width / height || 1.5));

/** The height that rows aim at. */
export const target = (width) => (width < 560 ? 128 : width < 1200 ? 184 : 216);

/**
 * Add rows for the photos from `from` on. A row is {first, end, top, height}; the last one keeps the aimed height
 * where it is not full. Rows that are full never change when more photos come.
 */
export function justify(rows, photos, width, from) {
  const aim = target(width);
  let top = rows.length ? rows.at(-1).top + rows.at(-1).height + GAP : 0;
  let first = from;
  let sum = 0;
  for (let end = from; end < photos.length; end++) {
    const next = shape(photos[end]);
    const with_ = (width - GAP * (end - first)) / (sum + next);
    sum += next;
    if (with_ > aim) continue;
    const without = end > first ? (width - GAP * (end - first - 1)) / (sum - next) : Infinity;
    const leaves = without - aim < aim - with_ && without < 1.5 * aim;
    const height = Math.round(leaves ? without : with_);
    rows.push({ first, end: leaves ? end : end + 1, top, height, isFull: true });
    top += height + GAP;
    first = leaves ? end : end + 1;
    sum = leaves ? next : 0;
  }
  if (first < photos.length) rows.push({ first, end: photos.length, top, height: aim, isFull: false });
}

/** Left edges and widths of a row's photos; they fill `width` where the row is full. */
export function places(row, photos, width) {
  const shown = photos.slice(row.first, row.end);
  const sum = shown.reduce((total, photo) => total + shape(photo), 0);
  const scale = row.isFull ? (width - GAP * (shown.length - 1)) / sum : row.height;
  let edge = 0;
  return shown.map((photo, index) => {
    const left = Math.round(edge);
    edge += scale * shape(photo);
    const right = index === shown.length - 1 && row.isFull ? width - GAP * (shown.length - 1) : Math.round(edge);
    return { left: left + GAP * index, width: right - left };
  });
}
