-- The last known routes and certificates: in memory that all workers share, and in a file for a start without Redis.

local cjson = require "cjson.safe"
local routes = require "ingress.routes"

local M = {}

local shared_routes, shared_certificates, state = ngx.shared.routes, ngx.shared.certificates, ngx.shared.state

-- Seconds that routes are believed without news from Redis; set at the start.
M.believe_seconds = 86400
-- {name = {crt, key}}: certificates that an administrator put on this host. They win.
M.files = {}

-- Decoded values of this worker, thrown away when the shared ones change.
local decoded, generation = { routes = {}, certificates = {} }, -1

local function fresh_cache()
  local now = state:get("generation") or 0
  if now ~= generation then
    decoded, generation = { routes = {}, certificates = {} }, now
  end
  return decoded
end

--- Seconds since Redis last told all routes; nil: never.
function M.age()
  local synced = state:get("synced")
  return synced and math.max(0, ngx.time() - synced)
end

--- Can this runner route? There are routes (or Redis said that there are none), and they are not too old.
function M.usable()
  local age = M.age()
  return age ~= nil and age <= M.believe_seconds
end

--- The route of a domain, nil where there is none.
function M.route(domain)
  local cache = fresh_cache().routes
  local route = cache[domain]
  if route == nil then
    local text = shared_routes:get(domain)
    route = text and routes.route(cjson.decode(text)) or false
    -- Names that nobody routes are not remembered: anybody can make up a million of them.
    if text then
      cache[domain] = route
    end
  end
  return route or nil
end

--- {crt, key} (PEM) for a domain, nil where there is none. `parse` is called once for each certificate, and its result given.
function M.certificate(domain, parse)
  local cache = fresh_cache().certificates
  for _, name in ipairs(routes.certificate_names(domain)) do
    local certificate = cache[name]
    if certificate == nil then
      local text = shared_certificates:get(name)
      local pair = M.files[name] or (text and cjson.decode(text))
      if pair then
        certificate = parse(pair, name) or false
        cache[name] = certificate
      end
    end
    if certificate then
      return certificate
    end
  end
end

--- All routes that can be read.
function M.all()
  local list = {}
  for _, domain in ipairs(shared_routes:get_keys(0)) do
    list[#list + 1] = M.route(domain)
  end
  return list
end

local function put(dict, what, name, text)
  if dict:get(name) == text then
    return false
  end
  if text == nil then
    dict:delete(name)
    return true
  end
  -- Without "safe" a full memory would silently drop other routes.
  local ok, err = dict:safe_set(name, text)
  if not ok then
    ngx.log(ngx.ERR, what, " of ", name, " does not fit the memory for it: ", err)
  end
  return ok
end

local function changed()
  state:incr("generation", 1, 0)
end

--- Sets or (with nil) removes what is known of one domain. Both are JSON texts. Gives whether anything changed.
function M.put(domain, route, certificate)
  local a = put(shared_routes, "the route", domain, route)
  local b = put(shared_certificates, "the certificate", domain, certificate)
  if a or b then
    changed()
  end
  return a or b
end

local function replace(dict, what, entries)
  local any = false
  -- What is gone goes first: it makes room.
  for _, name in ipairs(dict:get_keys(0)) do
    if entries[name] == nil then
      any = put(dict, what, name, nil) or any
    end
  end
  for name, text in pairs(entries) do
    any = put(dict, what, name, text) or any
  end
  return any
end

--- Takes over everything: {domain = JSON text} twice. Gives whether anything changed.
function M.replace(new_routes, new_certificates)
  local a = replace(shared_routes, "the route", new_routes)
  local b = replace(shared_certificates, "the certificate", new_certificates)
  state:set("synced", ngx.time())
  if a or b then
    changed()
  end
  return a or b
end

--- How many routes are known.
function M.count()
  return #shared_routes:get_keys(0)
end

local function contents(dict)
  local entries = {}
  for _, name in ipairs(dict:get_keys(0)) do
    entries[name] = dict:get(name)
  end
  return entries
end

--- Writes all that is known to a file, in one step. Gives true, or nil and the reason.
function M.save(path)
  local text = cjson.encode({
    synced = state:get("synced"),
    routes = contents(shared_routes),
    certificates = contents(shared_certificates),
  })
  local temporary = path .. ".new"
  local file, err = io.open(temporary, "w")
  if not file then
    return nil, err
  end
  local ok, write_err = file:write(text)
  local closed, close_err = file:close()
  if not (ok and closed) then
    return nil, write_err or close_err
  end
  return os.rename(temporary, path)
end

--- Takes over a saved file, if nothing is known yet: a reload of nginx keeps what it knows. Gives true, or nil and the reason.
function M.load(path)
  if state:get("synced") then
    return true
  end
  local file, err = io.open(path, "r")
  if not file then
    return nil, err
  end
  local saved = cjson.decode(file:read("*a"))
  file:close()
  if type(saved) ~= "table" or type(saved.routes) ~= "table" or type(saved.synced) ~= "number" then
    return nil, path .. " is damaged"
  end
  M.replace(saved.routes, type(saved.certificates) == "table" and saved.certificates or {})
  state:set("synced", saved.synced)
  return true
end

return M
