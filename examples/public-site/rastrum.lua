-- The settings of the rastrum behind nginx.conf: /etc/rastrum/rastrum.lua where the Debian package is installed.
return {
  listen = "127.0.0.1:8080",
  public_url = "https://maps.example.org", -- what links begin with
  trusted_proxies = { "127.0.0.1" }, -- whose X-Forwarded-For counts
  attribution = "Example Institute",

  store = "/var/lib/rastrum/store",
  watch = "/var/lib/rastrum/incoming",
  scratch = "/var/lib/rastrum",
  admin = "/run/rastrum/admin.sock", -- /metrics is there, not on the public port

  workers = 2, -- one that dies leaves the other
  block_cache = "256M",
  drain_delay = "2s",
}
