// Draws Grafana's gauges. Its published module lacks the library that the gauge panel of 10.0 draws with:
// the panel asks `$.plot` for it, and so this answers.
(function () {
  const BACKGROUND = 'rgba(128, 128, 128, 0.2)';
  // An arc that is open below, and where a value stands on it.
  const START = 0.85 * Math.PI;
  const SPAN = 1.3 * Math.PI;
  const clamp = (part) => Math.min(1, Math.max(0, part));

  // A canvas as sharp as the screen is.
  function canvasIn(element, width, height) {
    const canvas = document.createElement('canvas');
    const scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    element.replaceChildren(canvas);
    const context = canvas.getContext('2d');
    context.scale(scale, scale);
    return context;
  }

  window.jQuery.plot = function (element, series, options) {
    const { gauge, threshold, value } = options.series.gauges;
    const number = series[0].data[0][1];
    const width = element.clientWidth;
    const height = element.clientHeight;
    const context = canvasIn(element, width, height);
    const marker = threshold.show ? threshold.width : 0;
    // The arc is higher above its centre than below it.
    const radius = Math.min(width / 2, height / (1 - Math.sin(START + SPAN)), height / 1.5) - marker - 4;
    const x = width / 2;
    const y = radius + marker + 4;
    const at = (amount) => START + SPAN * clamp((amount - gauge.min) / (gauge.max - gauge.min));

    function ring(from, to, outer, thickness, colour) {
      context.beginPath();
      context.arc(x, y, outer - thickness / 2, from, to);
      context.lineWidth = thickness;
      context.strokeStyle = colour;
      context.stroke();
    }

    ring(START, START + SPAN, radius, gauge.width, BACKGROUND);
    if (Number.isFinite(number)) {
      ring(START, at(number), radius, gauge.width, value.color);
    }
    if (threshold.show) {
      let from = gauge.min;
      for (const step of threshold.values) {
        ring(at(from), at(step.value), radius + marker + 2, marker, step.color);
        from = step.value;
      }
    }
    context.fillStyle = value.color;
    context.font = `${value.font.size}px ${value.font.family}`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(value.formatter(), x, y);
  };
})();
