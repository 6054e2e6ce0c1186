// Plots on a canvas: lines over time, and bars. They take their colours from the style sheet.

const redraw = new Set();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => redraw.forEach((plot) => plot.draw()));

class Plot {
  #frame = 0;
  constructor(canvas, format) {
    Object.assign(this, { canvas, format });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "no figures yet");
    new ResizeObserver(() => this.draw()).observe(canvas);
    const point = (event) => {
      this.pointer = event.type === "pointerleave" ? null : event.offsetX;
      this.draw();
    };
    for (const type of ["pointermove", "pointerdown", "pointerleave"]) canvas.addEventListener(type, point);
    redraw.add(this);
  }
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const { canvas } = this;
      const { clientWidth: width, clientHeight: height } = canvas;
      if (!width || !height) return;
      const scale = devicePixelRatio || 1;
      const [pixelsWide, pixelsHigh] = [Math.round(width * scale), Math.round(height * scale)];
      if (canvas.width !== pixelsWide) canvas.width = pixelsWide;
      if (canvas.height !== pixelsHigh) canvas.height = pixelsHigh;
      const style = getComputedStyle(canvas);
      const pen = canvas.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      pen.font = "11px system-ui, sans-serif";
      pen.textBaseline = "middle";
      this.paint(pen, width, height, (name) => style.getPropertyValue(`--${name}`));
    });
  }
  /** Horizontal lines with their values; returns the place for the rest and where a value lies. */
  grid(pen, width, height, color, highest, bottom) {
    const top = niceTop(highest, this.isBinary);
    const labels = [0, 0.5, 1].map((share) => this.format(top * share));
    const left = Math.ceil(Math.max(...labels.map((label) => pen.measureText(label).width))) + 8;
    const y = (value) => 8 + (height - 8 - bottom) * (1 - Math.min(value, top) / top);
    labels.forEach((label, index) => {
      const at = Math.round(y((top * index) / 2)) + 0.5;
      pen.strokeStyle = color("line");
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(left, at);
      pen.lineTo(width, at);
      pen.stroke();
      pen.fillStyle = color("muted");
      pen.textAlign = "right";
      pen.fillText(label, left - 6, at);
    });
    return { left, y };
  }
  tip(pen, text, x, width, color) {
    const room = pen.measureText(text).width + 12;
    const left = Math.max(0, Math.min(width - room, x - room / 2));
    pen.fillStyle = color("ink");
    pen.beginPath();
    pen.roundRect(left, 0, room, 19, 5);
    pen.fill();
    pen.fillStyle = color("card");
    pen.textAlign = "left";
    pen.fillText(text, left + 6, 10);
  }
}

/** The next round number above, also among binary ones: 1, 2, 3, 4, 6, 8, 10 times a power of ten (or two). */
function niceTop(value, isBinary = false) {
  if (!(value > 0)) return 1;
  const power = isBinary ? 2 ** Math.floor(Math.log2(value)) : 10 ** Math.floor(Math.log10(value));
  return (isBinary ? [1, 1.5, 2] : [1, 2, 3, 4, 6, 8, 10]).find((step) => step * power >= value * 0.999) * power;
}

/** One line for each name over the last `span` pushes, the newest at the right. A `null` is a gap. */
export class LinePlot extends Plot {
  points = [];
  /** `highest`: the scale reaches at least so far. `every`: seconds between two pushes. `isBinary`: values are bytes. */
  constructor(canvas, { names, span, format, highest = 0, every = 1, isBinary = false }) {
    super(canvas, format);
    Object.assign(this, { names, span, highest, every, isBinary });
  }
  push(values) {
    this.points.push(values);
    if (this.points.length > this.span) this.points.shift();
    this.draw();
  }
  clear() {
    this.points = [];
    this.draw();
  }
  paint(pen, width, height, color) {
    const all = this.points.flat().filter((value) => Number.isFinite(value));
    const { left, y } = this.grid(pen, width, height, color, all.reduce((a, b) => Math.max(a, b), this.highest), 8);
    const step = (width - left - 4) / (this.span - 1);
    const x = (index) => width - 4 - (this.points.length - 1 - index) * step;
    this.names.forEach((_, series) => {
      pen.strokeStyle = pen.fillStyle = color(`series-${(series % 6) + 1}`);
      pen.lineWidth = 1.75;
      pen.lineJoin = "round";
      for (const [from, to] of this.#runs(series)) {
        pen.beginPath();
        for (let index = from; index <= to; index++) pen.lineTo(x(index), y(this.points[index][series]));
        if (from === to) pen.arc(x(from), y(this.points[from][series]), 1.5, 0, 7);
        pen.stroke();
        if (series > 0) continue;
        pen.lineTo(x(to), y(0));
        pen.lineTo(x(from), y(0));
        pen.globalAlpha = 0.1;
        pen.fill();
        pen.globalAlpha = 1;
      }
    });
    this.#hint(pen, width, height, color, left, step, x);
    const last = this.points.at(-1);
    if (last) this.canvas.setAttribute("aria-label", this.#words(last));
  }
  #words(values) {
    const told = this.names.map((name, index) => (Number.isFinite(values[index]) ? `${name} ${this.format(values[index])}` : null));
    return told.filter(Boolean).join(", ") || "no figures";
  }
  /** First and last index of each part without a gap. */
  *#runs(series) {
    let from = -1;
    for (let index = 0; index <= this.points.length; index++) {
      const isThere = index < this.points.length && Number.isFinite(this.points[index][series]);
      if (isThere && from < 0) from = index;
      if (!isThere && from >= 0) {
        yield [from, index - 1];
        from = -1;
      }
    }
  }
  #hint(pen, width, height, color, left, step, x) {
    if (this.pointer === null || this.pointer === undefined || this.pointer < left) return;
    const index = this.points.length - 1 - Math.round((width - 4 - this.pointer) / step);
    const values = this.points[index];
    if (!values) return;
    pen.strokeStyle = color("muted");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x(index), 20);
    pen.lineTo(x(index), height);
    pen.stroke();
    const ago = (this.points.length - 1 - index) * this.every;
    this.tip(pen, `${ago ? `${ago} s ago: ` : ""}${this.#words(values)}`, x(index), width, color);
  }
}

/** One bar for each label. */
export class BarPlot extends Plot {
  values = [];
  constructor(canvas, { labels, format, name }) {
    super(canvas, format);
    Object.assign(this, { labels, name });
  }
  set(values) {
    this.values = values;
    this.draw();
  }
  paint(pen, width, height, color) {
    const highest = this.values.reduce((a, b) => Math.max(a, b), 0);
    const { left, y } = this.grid(pen, width, height, color, highest, 18);
    const step = (width - left) / this.labels.length;
    const over = this.pointer >= left ? Math.floor((this.pointer - left) / step) : -1;
    this.values.forEach((value, index) => {
      pen.fillStyle = color("series-1");
      pen.globalAlpha = index === over ? 1 : 0.8;
      const tall = value > 0 ? Math.max(1.5, y(0) - y(value)) : 0;
      pen.fillRect(left + index * step + 1, y(0) - tall, Math.max(1, step - 2), tall);
      pen.globalAlpha = 1;
    });
    const every = Math.ceil(46 / step);
    pen.textAlign = "center";
    pen.fillStyle = color("muted");
    this.labels.forEach((label, index) => {
      const at = left + (index + 0.5) * step;
      if (index % every === 0 && at + 20 < width) pen.fillText(label, at, height - 7);
    });
    const sum = this.values.reduce((a, b) => a + b, 0);
    const words = (index) => `up to ${this.labels[index]}: ${this.format(this.values[index])} (${Math.round((this.values[index] / sum) * 100)} %)`;
    if (sum > 0 && over >= 0 && over < this.values.length) this.tip(pen, words(over), this.pointer, width, color);
    const most = this.values.indexOf(highest);
    this.canvas.setAttribute("aria-label", sum > 0 ? `${this.name}, most ${words(most)}` : `${this.name}: nothing yet`);
  }
}
