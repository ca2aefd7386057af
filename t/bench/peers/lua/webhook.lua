-- The receive path for lua-nginx-module: signature (Standard Webhooks), JSON,
-- event, deduplication by webhook-id and the status of pushes in dictionaries
-- that all workers share.
--
-- HMAC is OpenSSL's by FFI, with a context that is made once and keyed once:
-- the library that nginx is linked with, so nothing is copied but the digest.

local cjson = require "cjson.safe"
local ffi = require "ffi"

local C = ffi.C
local find, sub = string.find, string.sub
local decode_base64 = ngx.decode_base64
local deliveries, pushes = ngx.shared.deliveries, ngx.shared.pushes

local TOLERANCE = 300
local REMEMBER = 72 * 3600

ffi.cdef [[
typedef struct hmac_ctx_st HMAC_CTX;
typedef struct evp_md_st EVP_MD;
typedef struct engine_st ENGINE;

HMAC_CTX *HMAC_CTX_new(void);
const EVP_MD *EVP_sha256(void);
int HMAC_Init_ex(HMAC_CTX *ctx, const void *key, int len, const EVP_MD *md,
    ENGINE *impl);
int HMAC_Update(HMAC_CTX *ctx, const unsigned char *data, size_t len);
int HMAC_Final(HMAC_CTX *ctx, unsigned char *md, unsigned int *len);
int CRYPTO_memcmp(const void *a, const void *b, size_t len);
]]

local hmac = C.HMAC_CTX_new()
local digest = ffi.new("unsigned char[32]")
local length = ffi.new("unsigned int[1]")

do
    local file = assert(io.open(ngx.config.prefix() .. "secret"))
    local text = file:read("*l")
    file:close()
    local key = decode_base64((text:gsub("^whsec_", "")))
    assert(C.HMAC_Init_ex(hmac, key, #key, C.EVP_sha256(), nil) == 1)
end

local KNOWN = {}
for _, name in ipairs { "company.created", "company.deleted",
    "company.product.added", "company.product.removed", "connection.created",
    "connection.connected", "connection.reconnected",
    "connection.disconnected", "connection.failed", "connection.deleted",
    "read.completed", "read.completed.initial", "read.completed.successful",
    "read.completed.unsuccessful", "client.rateLimit.reached",
    "client.rateLimit.reset" } do
    KNOWN[name] = name
end


local function verify(id, timestamp, signatures, body)
    local time = tonumber(timestamp)
    if not time or math.abs(ngx.time() - time) > TOLERANCE then
        return false
    end

    -- without a key and a digest: from the beginning, with those it has
    local head = id .. "." .. timestamp .. "."
    if C.HMAC_Init_ex(hmac, nil, 0, nil, nil) ~= 1
        or C.HMAC_Update(hmac, head, #head) ~= 1
        or C.HMAC_Update(hmac, body, #body) ~= 1
        or C.HMAC_Final(hmac, digest, length) ~= 1
    then
        return false
    end

    local from = 1
    while from do
        local to = find(signatures, " ", from, true)

        if sub(signatures, from, from + 2) == "v1," then
            local s = decode_base64(sub(signatures, from + 3, (to or 0) - 1))
            if s and #s == 32 and C.CRYPTO_memcmp(s, digest, 32) == 0 then
                return true
            end
        end

        from = to and to + 1
    end

    return false
end


local function answer(status, text)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end


local function read_body()
    ngx.req.read_body()

    local body = ngx.req.get_body_data()
    if body then
        return body
    end

    local path = ngx.req.get_body_file()
    local file = path and io.open(path, "rb")
    if not file then
        return ""
    end
    body = file:read("*a")
    file:close()

    return body
end


local function recognise(name)
    if type(name) ~= "string" then
        return nil
    end
    if KNOWN[name] then
        return name
    end

    return find(name, ".write.", 1, true) and name or "unknown"
end


local function handle()
    local var = ngx.var
    local id, timestamp = var.http_webhook_id, var.http_webhook_timestamp
    local signatures = var.http_webhook_signature

    local body = read_body()

    if not (id and timestamp and signatures)
        or not verify(id, timestamp, signatures, body)
    then
        return answer(401, '{"code":"signature_mismatch"}')
    end

    local event = cjson.decode(body)
    if type(event) ~= "table" then
        return answer(400, '{"code":"malformed_json"}')
    end

    local name = recognise(event.eventType)
    if not name then
        return answer(400, '{"code":"unrecognised_event"}')
    end

    local result = "accepted"
    if not deliveries:add(id, true, REMEMBER) then
        result = "duplicate"

    elseif find(name, ".write.", 1, true) then
        local push = event.payload
        if type(push) == "table" and push.id then
            pushes:set(push.id, push.status .. " " .. event.generatedDate)
        end
    end

    return answer(200, cjson.encode { id = event.id, type = name,
                                      result = result } .. "\n")
end


return { handle = handle }
