-- A script that writes has a token: a lane and a number, as LANE:NUMBER. A client has one operation at a time in a lane of
-- a session, and numbers rise. So the number and the result of the last operation of each lane tell every command that is
-- delivered twice, however late: it is carried out once, and the last one returns its result again. The results are kept
-- beside the session, also after it is deleted.
--   LANE   number, time, and the parts of the result, separated by U+001F
local KEPT_LANES = 64
-- No call takes longer than ten minutes. Every result outlives the repetitions of its command, and the expiry of the key
-- need not be set at each write.
local LONGEST_CALL_MS = 600000
local KEEP_RESULTS_MS = 1200000

local function operation_of(key, token)
  local lane, number = string.match(token, '^([^:]*):(%d+)$')
  return { key = key, lane = lane, number = number, now = now_ms() }
end

-- Begins the operation of a token. Returns it; then the parts of its result if it was already carried out, or nil; then a
-- refusal if there is a later one in its lane, or if its caller has given up.
local function begin_operation(key, token, deadline)
  local operation = operation_of(key, token)
  local known = redis.call('HGET', key, operation.lane)
  if known then
    local last, result = string.match(known, '^(%d+)\31%d+()')
    if last == operation.number then
      local parts = {}
      for part in string.gmatch(string.sub(known, result), '\31([^\31]*)') do parts[#parts + 1] = part end
      return operation, parts
    end
    -- Its caller has its result.
    if last and tonumber(last) > tonumber(operation.number) then return operation, nil, { 'superseded' } end
  end
  return operation, nil, operation.now > tonumber(deadline) and { 'late', integer(operation.now) } or nil
end

-- Keeps the parts of a result. Returns 1 if the lane is new.
local function keep_result(operation, parts)
  local result = operation.number .. '\31' .. integer(operation.now) .. '\31' .. table.concat(parts, '\31')
  return redis.call('HSET', operation.key, operation.lane, result)
end

-- The same, for a script that writes the state of its session after this. Keeps the key of results from expiring too
-- early.
local function count_result(operation, parts, head)
  local is_new = keep_result(operation, parts) == 1
  if tonumber(head.oe) < operation.now + LONGEST_CALL_MS then
    head.oe = integer(operation.now + KEEP_RESULTS_MS)
    redis.call('PEXPIREAT', operation.key, head.oe)
  end
  if not is_new then return end
  head.on = integer(head.on + 1)
  if tonumber(head.on) >= KEPT_LANES then
    head.on = '0'
    -- include forget-oldest
    forget_oldest(operation.key)
  end
end

-- When the keys of a session expire: `ttlMs` from now, or as before without one. '' if they do not.
local function expiry_of(ttl_ms, head, now)
  if ttl_ms ~= '0' then return integer(now + tonumber(ttl_ms)) end
  return head and head.e or ''
end

-- All keys of the session itself, but not the results of its operations.
local function expire_all(at, keys)
  if at == '' then return end
  for index = 1, 7 do
    if index ~= 5 then redis.call('PEXPIREAT', keys[index], at) end
  end
end
