-- What can be said of routes without nginx: pure functions, tested by themselves.

local M = {}

local match, lower, sub, gsub = string.match, string.lower, string.sub, string.gsub

--- The domain that a Host header or a server name means: lower case, without port and final dot.
-- @return string, or nil for what is no domain name (RFC 1123: 253 characters of letters, digits, hyphens and dots)
function M.domain(host)
  if type(host) ~= "string" then
    return nil
  end
  local domain = gsub(gsub(lower(host), ":%d*$", ""), "%.$", "")
  if #domain > 253 or not match(domain, "^[a-z0-9][a-z0-9.-]*$") or match(domain, "%.%.") then
    return nil
  end
  return domain
end

--- Is this the name of an application?
function M.is_application(name)
  return type(name) == "string" and #name <= 31 and match(name, "^[a-z][a-z0-9-]*$") ~= nil
end

local function backend(text)
  if type(text) ~= "string" then
    return nil
  end
  local host, port = match(text, "^(%d+%.%d+%.%d+%.%d+):(%d+)$")
  port = tonumber(port)
  if not port or port < 1 or port > 65535 then
    return nil
  end
  for part in string.gmatch(host, "%d+") do
    if tonumber(part) > 255 then
      return nil
    end
  end
  return { host = host, port = port, name = text }
end

--- Reads a route as the controller publishes it. Backends that are no "address:port" are left out.
-- @param value the decoded JSON
-- @return {app, http = "redirect" | "serve", https_port, backends = {{host, port, name}, ...}}, or nil and the reason; https_port is there where
-- visitors reach HTTPS at another port than 443
function M.route(value)
  if type(value) ~= "table" then
    return nil, "is no object"
  end
  if not M.is_application(value.app) then
    return nil, "names no application"
  end
  local backends = {}
  for _, text in ipairs(type(value.backends) == "table" and value.backends or {}) do
    backends[#backends + 1] = backend(text)
  end
  local port = value.https_port
  if type(port) ~= "number" or port < 1 or port > 65535 or port ~= math.floor(port) or port == 443 then
    port = nil
  end
  -- Without a word about plain HTTP the safer of the two.
  return { app = value.app, http = value.http == "serve" and "serve" or "redirect", https_port = port, backends = backends }
end

--- Where a visitor of plain HTTP is sent.
function M.https_url(domain, https_port, request_uri)
  return "https://" .. domain .. (https_port and string.format(":%d", https_port) or "") .. request_uri
end

--- The order in which backends are tried: each gets its turn as the first; those that lately could not be reached come last.
-- @param turn a number that grows by one with each request
-- @param is_down function(backend) -> boolean
function M.order(backends, turn, is_down)
  local count = #backends
  local order, down = {}, {}
  for i = 0, count - 1 do
    local one = backends[(turn + i) % count + 1]
    local list = count > 1 and is_down(one) and down or order
    list[#list + 1] = one
  end
  for _, one in ipairs(down) do
    order[#order + 1] = one
  end
  return order
end

--- Names under which the certificate for a domain may be found: its own, then the wildcard one level up.
function M.certificate_names(domain)
  local parent = match(domain, "^[^.]+%.(.+)$")
  if parent then
    return { domain, "*." .. parent }
  end
  return { domain }
end

--- All names under which certificates for these domains may be found, each once.
function M.all_certificate_names(domains)
  local names, seen = {}, {}
  for _, domain in ipairs(domains) do
    for _, name in ipairs(M.certificate_names(domain)) do
      if not seen[name] then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  return names
end

--- The Host header for the application: the domain that was routed by, with the port that the visitor used.
function M.host_header(domain, header)
  local port = match(header or "", ":(%d+)$")
  return port and (domain .. ":" .. sub(port, 1, 5)) or domain
end

--- Applications and where they run, by name, from all routes.
-- @param list {{app, backends}, ...}
-- @return {name = {address, ...}}, addresses sorted, each once
function M.applications(list)
  local found = {}
  for _, route in ipairs(list) do
    local seen = found[route.app] or {}
    for _, one in ipairs(route.backends) do
      seen[one.host] = true
    end
    found[route.app] = seen
  end
  local applications = {}
  for app, seen in pairs(found) do
    local addresses = {}
    for address in pairs(seen) do
      addresses[#addresses + 1] = address
    end
    table.sort(addresses)
    applications[app] = addresses
  end
  return applications
end

return M
