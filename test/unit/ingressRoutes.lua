-- Tests of deployment/roles/ingress/files/lua/routes.lua, run by ingressRoutes.test.ts: prints one line a test, "ok <name>" or "not ok <name>: <why>".

package.path = arg[1] .. "/?.lua;" .. package.path
local routes = require "routes"

local function show(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for _, one in ipairs(value) do
    parts[#parts + 1] = show(one)
  end
  local keys = {}
  for key in pairs(value) do
    if type(key) == "string" then
      keys[#keys + 1] = key
    end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    parts[#parts + 1] = key .. "=" .. show(value[key])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function test(name, checks)
  local ok, err = pcall(checks)
  print((ok and "ok " or "not ok ") .. name .. (ok and "" or ": " .. tostring(err)))
end

local function equal(got, wanted)
  if show(got) ~= show(wanted) then
    error("got " .. show(got) .. ", wanted " .. show(wanted), 2)
  end
end

test("a host becomes a domain", function()
  equal(routes.domain("Hello.Example.ORG:8443"), "hello.example.org")
  equal(routes.domain("hello.localhost."), "hello.localhost")
  equal(routes.domain("10.0.0.1"), "10.0.0.1")
end)

test("what is no domain is none", function()
  for _, host in ipairs({ "", "..", "a..b", "a/b", "a b", "-a", "_", "a\0b", "*.example.org", "[::1]", string.rep("a", 254) }) do
    equal(routes.domain(host), nil)
  end
  equal(routes.domain(nil), nil)
end)

test("a route is read", function()
  equal(
    routes.route({ app = "hello", http = "serve", backends = { "10.7.128.4:32768" }, version = "3" }),
    { app = "hello", http = "serve", backends = { { host = "10.7.128.4", port = 32768, name = "10.7.128.4:32768" } } }
  )
end)

test("a redirect leads to the port that visitors reach", function()
  equal(routes.route({ app = "hello", https_port = 31443 }).https_port, 31443)
  for _, port in ipairs({ 443, 0, 70000, 1.5, "31443" }) do
    equal(routes.route({ app = "hello", https_port = port }).https_port, nil)
  end
  equal(routes.https_url("a.example", nil, "/b?c=d"), "https://a.example/b?c=d")
  equal(routes.https_url("a.localhost", 31443, "/"), "https://a.localhost:31443/")
end)

test("plain HTTP redirects unless the route says otherwise", function()
  equal(routes.route({ app = "hello" }).http, "redirect")
  equal(routes.route({ app = "hello", http = "something" }).http, "redirect")
end)

test("backends that are none are left out, the others stay", function()
  local bad = { "10.0.0.1", "10.0.0.256:80", "10.0.0.1:0", "10.0.0.1:65536", "host:80", "unix:/run/docker.sock", "10.0.0.1:80/x", 7 }
  bad[#bad + 1] = "10.0.0.1:80"
  equal(#routes.route({ app = "hello", backends = bad }).backends, 1)
  equal(#routes.route({ app = "hello", backends = "10.0.0.1:80" }).backends, 0)
end)

test("a route without an application is none", function()
  for _, value in ipairs({ {}, { app = "" }, { app = "Hello" }, { app = "a/b" }, { app = string.rep("a", 32) }, "text", 3 }) do
    equal(routes.route(value), nil)
  end
end)

local A, B, C = { name = "a" }, { name = "b" }, { name = "c" }
local function none()
  return false
end

test("each backend gets its turn", function()
  local count = {}
  for turn = 1, 300 do
    local order = routes.order({ A, B, C }, turn, none)
    equal(#order, 3)
    count[order[1].name] = (count[order[1].name] or 0) + 1
  end
  equal(count, { a = 100, b = 100, c = 100 })
end)

test("a backend that is down comes last, and is not forgotten", function()
  for turn = 0, 5 do
    local order = routes.order({ A, B, C }, turn, function(one)
      return one == B
    end)
    equal(#order, 3)
    equal(order[3], B)
  end
  local function all()
    return true
  end
  equal(#routes.order({ A, B }, 1, all), 2)
  equal(routes.order({ A }, 1, all), { A })
  equal(routes.order({}, 1, none), {})
end)

test("a certificate is found by the domain, then by the wildcard one level up", function()
  equal(routes.certificate_names("hello.apps.example.org"), { "hello.apps.example.org", "*.apps.example.org" })
  equal(routes.certificate_names("localhost"), { "localhost" })
  equal(routes.all_certificate_names({ "a.example.org", "b.example.org" }), { "a.example.org", "*.example.org", "b.example.org" })
end)

test("the application sees the domain that was routed by, with the visitor's port", function()
  equal(routes.host_header("hello.localhost", "Hello.localhost:8080"), "hello.localhost:8080")
  equal(routes.host_header("hello.localhost", "other.example.org"), "hello.localhost")
  equal(routes.host_header("hello.localhost", nil), "hello.localhost")
end)

test("applications are listed with where they run", function()
  local list = {
    { app = "hello", backends = { { host = "10.0.0.2" }, { host = "10.0.0.1" } } },
    { app = "hello", backends = { { host = "10.0.0.2" } } },
    { app = "idle", backends = {} },
  }
  equal(routes.applications(list), { hello = { "10.0.0.1", "10.0.0.2" }, idle = {} })
end)
