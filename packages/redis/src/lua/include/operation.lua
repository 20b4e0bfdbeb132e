-- Operations: a script that writes carries a token. The last results stay beside the session, also when it
-- is deleted, so that a command which was delivered twice is carried out once and gives the first result.

-- The result of an operation that was carried out already, or a refusal because its caller has given up.
local function begin_operation(key, token, deadline, now)
  local result = redis.call('HGET', key, token)
  if result then
    local reply = {}
    for part in string.gmatch(result .. '\31', '(.-)\31') do reply[#reply + 1] = part end
    return reply
  end
  if now > tonumber(deadline) then return { 'late', integer(now) } end
  return nil
end

local function end_operation(key, token, reply, now)
  local count = tonumber(redis.call('HGET', key, '#') or '0')
  local slot = '#' .. (count % KEPT_RESULTS)
  if count >= KEPT_RESULTS then
    local oldest = redis.call('HGET', key, slot)
    if oldest then redis.call('HDEL', key, oldest) end
  end
  redis.call('HSET', key, token, table.concat(reply, '\31'), slot, token, '#', count + 1)
  redis.call('PEXPIREAT', key, integer(now + KEEP_RESULTS_MS))
  return reply
end

-- All keys of a session expire at one instant: `ttl` from now; without one, as it was before.
local function expiry_of(ttl, head, now)
  if ttl ~= '0' then return integer(now + tonumber(ttl)) end
  return head and head.e or nil
end

local function expire_all(at, keys)
  if not at then return end
  for _, key in ipairs(keys) do redis.call('PEXPIREAT', key, at) end
end
