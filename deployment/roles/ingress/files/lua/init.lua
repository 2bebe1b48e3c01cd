-- Before the workers start, still as root: settings with the password, certificates of this host, the routes of last time.

local cjson = require "cjson.safe"
local store = require "ingress.store"

local M = {}

local function read(path)
  local file, err = io.open(path, "r")
  if not file then
    return nil, err
  end
  local text = file:read("*a")
  file:close()
  return text
end

local function certificate_files(folder)
  local found = {}
  local list = io.popen("ls -1 '" .. folder .. "' 2>/dev/null")
  for file in list:lines() do
    local name = file:match("^([*a-z0-9.-]+)%.crt$")
    local key = name and read(folder .. "/" .. name .. ".key")
    if key then
      found[name] = { crt = read(folder .. "/" .. file), key = key }
    end
  end
  list:close()
  return found
end

--- Reads the settings (JSON) and what goes with them. Fails loudly without them: nginx then keeps its old configuration.
function M.start(path)
  local settings, err = cjson.decode(assert(read(path)))
  assert(settings, err)
  M.settings = settings
  store.believe_seconds = settings.believe_seconds
  store.files = certificate_files(settings.certificates)
  local ok, reason = store.load(settings.file)
  if not ok then
    ngx.log(ngx.NOTICE, "no routes from last time: ", reason)
  end
end

return M
