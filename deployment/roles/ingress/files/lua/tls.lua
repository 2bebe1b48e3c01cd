-- The certificate for the name that a visitor asks for; where none is known the Cloudspace's own, from the configuration, stays.

local ssl = require "ngx.ssl"
local routes = require "ingress.routes"
local store = require "ingress.store"

local M = {}

local function parse(pair, name)
  local chain, key, err
  chain, err = ssl.parse_pem_cert(pair.crt or "")
  if chain then
    key, err = ssl.parse_pem_priv_key(pair.key or "")
  end
  if not key then
    ngx.log(ngx.ERR, "the certificate of ", name, " cannot be read: ", err)
    return nil
  end
  return { chain = chain, key = key }
end

function M.choose()
  local domain = routes.domain(ssl.server_name())
  local certificate = domain and store.certificate(domain, parse)
  if not certificate then
    return
  end
  ssl.clear_certs()
  local ok, err = ssl.set_cert(certificate.chain)
  if ok then
    ok, err = ssl.set_priv_key(certificate.key)
  end
  if not ok then
    ngx.log(ngx.ERR, "the certificate of ", domain, " cannot be used: ", err)
    return ngx.exit(ngx.ERROR)
  end
end

return M
