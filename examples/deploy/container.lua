-- The settings in the image. Each is also RASTRUM_<NAME> in the environment, which goes before: RASTRUM_PUBLIC_URL and so on.
return {
  listen = "0.0.0.0:8080",
  store = "/var/lib/rastrum/store",
  scratch = "/var/lib/rastrum", -- the rest of the image may be read-only
  drain_delay = "5s", -- for balancers to notice; the container must be given 30 s to end
}
