-- Operations: a script that writes carries a token. The last results stay beside the session, also when it
-- is deleted, so that a command which was delivered twice is carried out once and gives the first result.
local KEPT_RESULTS = 64
-- Of them so many of appends, also where there are more than enough others: those that may be on their way twice just
-- now, and meet a session from which others have taken their turns, or altered them.
local KEPT_APPENDS = 16
-- No call may take longer than ten minutes, so no repetition outlives its result.
local KEEP_RESULTS_MS = 1800000
local LEAST_LEFT_MS = 900000

-- The result of an operation that was carried out already, or a refusal because its caller has given up.
local function begin_operation(key, token, deadline, now)
  local result = redis.call('HGET', key, token)
  if result then
    local reply = {}
    -- The time stands in front.
    for part in string.gmatch(string.match(result, '\31(.*)') .. '\31', '([^\31]*)\31') do reply[#reply + 1] = part end
    return reply
  end
  if now > tonumber(deadline) then return { 'late', integer(now) } end
  return nil
end

-- When the results go unless others come; nil where the head (or nothing) says that there is time.
local function results_expiry(head, now)
  if head and head.x and tonumber(head.x) > now + LEAST_LEFT_MS then return nil end
  return integer(now + KEEP_RESULTS_MS)
end

-- Drops all but the last 64. It comes behind the writes of a script, so nothing here may fail.
local function forget_oldest(key, now)
  local results, ranks, old = redis.call('HGETALL', key), {}, {}
  local appends, others = {}, {}
  for at = 2, #results, 2 do
    local rank = tonumber(string.match(results[at], '^%d+') or 0)
    local class = rank > now and others or appends
    ranks[at / 2], class[#class + 1] = rank, rank
  end
  table.sort(appends)
  table.sort(others)
  local kept_appends = math.max(KEPT_RESULTS - #others, math.min(#appends, KEPT_APPENDS))
  local least_append = appends[#appends - kept_appends + 1] or 0
  local least_other = others[#others - (KEPT_RESULTS - kept_appends) + 1] or 0
  for index, rank in ipairs(ranks) do
    if rank < (rank > now and least_other or least_append) then old[#old + 1] = results[2 * index - 1] end
  end
  call_all('HDEL', key, old)
end

-- What stands in front of a result: when it was made; or, where nothing but the result would tell a repetition, a
-- time to come, so that it outlasts those of appends, of which there are most and which are known by their ids.
local function rank_of(now, is_known_by_ids)
  return integer(is_known_by_ids and now or now + KEEP_RESULTS_MS)
end

-- Keeps a reply as the result of a token. Where there are twice as many as are kept, the old ones are dropped.
local function end_operation(key, token, reply, rank, expiry, now)
  redis.call('HSET', key, token, rank .. '\31' .. table.concat(reply, '\31'))
  if expiry then redis.call('PEXPIREAT', key, expiry) end
  if redis.call('HLEN', key) >= 2 * KEPT_RESULTS then forget_oldest(key, now) end
  return reply
end

-- All keys of a session expire at one instant: `ttlMs` from now; without one, as it was before.
local function expiry_of(ttl_ms, head, now)
  if ttl_ms ~= '0' then return integer(now + tonumber(ttl_ms)) end
  return head and head.e or nil
end

-- The keys of the session itself, which are the first four.
local function expire_all(at, keys)
  if not at then return end
  for index = 1, 4 do redis.call('PEXPIREAT', keys[index], at) end
end
