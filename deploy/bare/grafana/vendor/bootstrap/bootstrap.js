// Stands in for the Bootstrap plug-ins that Grafana's retired Angular panels ask jQuery for: they do nothing.
for (const name of ['tooltip', 'popover', 'typeahead', 'dropdown', 'modal', 'tab', 'tagsinput']) {
  const plugin = function () {
    return this;
  };
  plugin.defaults = {};
  plugin.Constructor = function () {};
  window.jQuery.fn[name] = plugin;
}
