-- Keeps the store as Redis on the controller is: by its messages at once, and by reading everything now and then.
-- One worker does it for all. While Redis is away nothing is forgotten.

local redis = require "nginx.redis"
local store = require "ingress.store"
local routes = require "ingress.routes"

local M = {}

local state = ngx.shared.state
local settings

-- Keys a request: LuaJIT passes at most some 8000 arguments.
local BATCH = 500
-- Seconds after which the timer starts itself anew: a timer's memory is freed at its end only.
local TIMER_SECONDS = 300
-- Seconds for which "there are no routes at all" is doubted when there were some: a Redis that lost its data says so until the publisher wrote again.
local DOUBT_SECONDS = 15
-- Seconds after which the file is written though nothing changed, so that its age says something.
local SAVE_SECONDS = 600
-- Milliseconds for Redis to answer, and to wait for messages at a time.
local ANSWER_MS, LISTEN_MS = 2000, 500

local function connect()
  local client = redis:new()
  client:set_timeout(ANSWER_MS)
  local ok, err = client:connect(settings.redis_address, settings.redis_port)
  if not ok then
    return nil, "connecting: " .. err
  end
  -- The library of Debian 12 knows no TLS; its socket does.
  ok, err = rawget(client, "_sock"):sslhandshake(false, settings.redis_name, true)
  if not ok then
    return nil, "TLS: " .. err
  end
  ok, err = client:auth(settings.redis_password)
  if not ok then
    return nil, "logging in: " .. err
  end
  return client
end

local function mget(client, prefix, names)
  local found = {}
  for first = 1, #names, BATCH do
    local keys = {}
    for i = first, math.min(first + BATCH - 1, #names) do
      keys[#keys + 1] = prefix .. names[i]
    end
    local values, err = client:mget(unpack(keys))
    if not values then
      return nil, err
    end
    for i, value in ipairs(values) do
      if type(value) == "string" then
        found[names[first + i - 1]] = value
      end
    end
  end
  return found
end

local doubted_since

local function read_all(client)
  local members, err = client:smembers("routes")
  if not members then
    return nil, err
  end
  local domains = {}
  for _, name in ipairs(members) do
    if routes.domain(name) == name then
      domains[#domains + 1] = name
    end
  end
  local found, certificates
  found, err = mget(client, "route:", domains)
  if not found then
    return nil, err
  end
  certificates, err = mget(client, "certificate:", routes.all_certificate_names(domains))
  if not certificates then
    return nil, err
  end
  if next(found) == nil and store.count() > 0 then
    doubted_since = doubted_since or ngx.now()
    if ngx.now() - doubted_since < DOUBT_SECONDS then
      return "doubted"
    end
  end
  doubted_since = nil
  return store.replace(found, certificates) and "changed" or "same"
end

local function read_one(client, domain)
  local values, err = client:mget("route:" .. domain, "certificate:" .. domain)
  if not values then
    return nil, err
  end
  local function text(value)
    return type(value) == "string" and value or nil
  end
  return store.put(domain, text(values[1]), text(values[2])) and "changed" or "same"
end

local saved_at, unsaved = 0, false

local function save()
  if not unsaved and ngx.now() - saved_at < SAVE_SECONDS then
    return
  end
  local ok, err = store.save(settings.file)
  if not ok then
    ngx.log(ngx.ERR, "the routes cannot be saved: ", err)
  end
  saved_at, unsaved = ngx.now(), not ok
end

--- Follows Redis until something fails or the timer's time is over. Gives the reason of a failure.
local function follow(ends)
  local client, err = connect()
  if not client then
    return err
  end
  local listener
  listener, err = connect()
  if not listener then
    return err
  end
  -- First listen, then read: what changes in between is read again.
  local ok
  ok, err = listener:subscribe("routes")
  if not ok then
    return err
  end
  local read_at = 0
  while not ngx.worker.exiting() and ngx.now() < ends do
    if ngx.now() - read_at >= settings.refresh_seconds then
      local result
      result, err = read_all(client)
      if not result then
        return err
      end
      read_at, unsaved = ngx.now(), unsaved or result == "changed"
      state:set("connected", true)
    end
    save()
    listener:set_timeout(LISTEN_MS)
    local message
    message, err = listener:read_reply()
    if not message and err ~= "timeout" then
      return err
    end
    local domain = message and message[1] == "message" and routes.domain(message[3])
    if domain then
      local result
      result, err = read_one(client, domain)
      if not result then
        return err
      end
      unsaved = unsaved or result == "changed"
    end
  end
  client:close()
  listener:close()
end

local function run(premature)
  if premature then
    return
  end
  local called, err = pcall(follow, ngx.now() + TIMER_SECONDS)
  -- A worker that is shutting down still starts timers without a delay: it would begin again and again, without a pause.
  if ngx.worker.exiting() then
    return
  end
  if called and err == nil then
    ngx.timer.at(0, run)
    return
  end
  if state:get("connected") ~= false then
    ngx.log(ngx.ERR, "Redis cannot be followed, the last known routes stay: ", err)
  end
  state:set("connected", false)
  ngx.timer.at(settings.retry_seconds, run)
end

--- Starts following Redis, in one worker.
function M.start(with)
  settings = with
  if ngx.worker.id() == 0 then
    ngx.timer.at(0, run)
  end
end

return M
