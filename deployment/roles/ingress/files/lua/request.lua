-- What happens to one request: found by its host, sent to a backend, or answered with the reason why not.

local balancer = require "ngx.balancer"
local cjson = require "cjson.safe"
local routes = require "ingress.routes"
local store = require "ingress.store"

local M = {}

local down = ngx.shared.down

-- Seconds that a backend which failed is tried last.
local DOWN_SECONDS = 5
-- Seconds. Inside a VPC a connection takes less than a millisecond; two cover one lost packet.
local CONNECT, SEND = 2, 60
-- A network load balancer ends idle connections after 350 s; an upgraded one (WebSocket) may be silent as long as that lets it.
local READ, READ_UPGRADED = 300, 3600

local PAGE = [[<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>%s</title>
<style>body{font:1.1em/1.5 system-ui,sans-serif;max-width:32em;margin:20vh auto;padding:0 1em;color:#333}h1{font-size:1.3em}</style>
<h1>%s</h1><p>%s</p></html>
]]

local ANSWERS = {
  [404] = { "Nothing is here", "No application of this Cloudspace has this address." },
  [502] = { "The application does not answer", "It is there, but it refused the request or broke off. Please try again in a moment." },
  [503] = { "The application is not running", "Its address is known, but none of its containers is ready. Please try again in a moment." },
  [504] = { "The application takes too long", "It accepted the request and did not answer it in time." },
}

--- Answers with a page. Nothing of the request is in it.
function M.answer(status)
  local title, text = unpack(ANSWERS[status])
  ngx.status = status
  ngx.header["Content-Type"] = "text/html; charset=utf-8"
  ngx.header["Cache-Control"] = "no-store"
  if status == 503 then
    ngx.header["Retry-After"] = "5"
  end
  ngx.print(string.format(PAGE, title, title, text))
  return ngx.exit(status)
end

-- Each worker begins somewhere else, or all would begin with the same backend.
local turns = {}

local function turn(app)
  local now = (turns[app] or math.random(0, 1000)) + 1
  turns[app] = now
  return now
end

local function is_down(backend)
  return down:get(backend.name) ~= nil
end

--- Access phase: finds the route, redirects, or refuses.
function M.route()
  local var = ngx.var
  local domain = routes.domain(var.host)
  local route = domain and store.route(domain)
  if not store.usable() then
    return M.answer(503)
  end
  if not route then
    return M.answer(404)
  end
  var.application = route.app
  if route.http == "redirect" and var.scheme == "http" then
    return ngx.redirect(routes.https_url(domain, route.https_port, var.request_uri), 308)
  end
  if #route.backends == 0 then
    return M.answer(503)
  end
  var.application_host = routes.host_header(domain, var.http_host)
  local ctx = ngx.ctx
  ctx.attempts = routes.order(route.backends, turn(route.app), is_down)
  ctx.attempt = 0
  ctx.read = var.upgrade ~= "" and READ_UPGRADED or READ
end

--- Balancer phase, called again after each failed attempt.
function M.balance()
  local ctx = ngx.ctx
  local attempts = ctx.attempts
  if ctx.attempt == 0 then
    balancer.set_more_tries(#attempts - 1)
  else
    down:set(attempts[(ctx.attempt - 1) % #attempts + 1].name, true, DOWN_SECONDS)
  end
  -- More attempts than backends: a connection that was kept open turned out to be closed, and nginx tries once more.
  local backend = attempts[ctx.attempt % #attempts + 1]
  ctx.attempt = ctx.attempt + 1
  balancer.set_timeouts(CONNECT, SEND, ctx.read)
  local ok, err = balancer.set_current_peer(backend.host, backend.port)
  if not ok then
    ngx.log(ngx.ERR, backend.name, " cannot be used: ", err)
    return ngx.exit(502)
  end
end

--- For this host's own eyes: can it route, how fresh is what it knows, which applications are there.
function M.status()
  local usable = store.usable()
  ngx.status = usable and 200 or 503
  ngx.header["Content-Type"] = "application/json"
  local applications = {}
  for app, addresses in pairs(routes.applications(store.all())) do
    -- As words: an empty Lua table would become an object in JSON.
    applications[app] = table.concat(addresses, " ")
  end
  ngx.say(cjson.encode({
    routing = usable,
    redis = ngx.shared.state:get("connected") == true,
    age = store.age(),
    routes = store.count(),
    applications = applications,
  }))
end

return M
