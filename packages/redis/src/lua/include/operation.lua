-- A script that writes has a token. The results of the last operations are kept beside the session, also after it is
-- deleted: a command that is delivered twice is carried out once, and returns its first result again.
local KEPT_RESULTS = 64
-- Results of appends that are kept even if there are enough others. An append may be delivered twice after others have
-- dropped or changed its turns, and is then not recognized by them.
local KEPT_APPENDS = 16
-- No call takes longer than ten minutes. Every result outlives the repetitions of its command, and the expiry of the key
-- need not be set at each write.
local LONGEST_CALL_MS = 600000
local KEEP_RESULTS_MS = 1200000

-- The result of an operation that was already carried out, or a refusal if its caller has given up.
local function begin_operation(key, token, deadline, now)
  local result = redis.call('HGET', key, token)
  if result then
    local reply = {}
    -- The rank comes first.
    for part in string.gmatch(string.match(result, '\31(.*)') .. '\31', '([^\31]*)\31') do reply[#reply + 1] = part end
    return reply
  end
  if now > tonumber(deadline) then return { 'late', integer(now) } end
  return nil
end

-- Drops all but the last 64 results. It runs after the writes of a script, so nothing here may fail.
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

-- The rank of a result: the time of an append whose repetition is also recognized by its ids, and a time in the future
-- for anything else. Appends are the most frequent, so they go first.
local function rank_of(now, is_known_by_ids)
  return integer(is_known_by_ids and now or now + KEEP_RESULTS_MS)
end

-- Counts a result that was just kept in the state of its session, which is written after this. Keeps the key of results
-- from expiring too early, and from time to time drops all but the last.
local function count_operation(key, head, now)
  if head.oe < now + LONGEST_CALL_MS then
    head.oe = now + KEEP_RESULTS_MS
    redis.call('PEXPIREAT', key, integer(head.oe))
  end
  head.on = head.on + 1
  if head.on >= KEPT_RESULTS then
    head.on = 0
    forget_oldest(key, now)
  end
end

-- Keeps a reply as the result of a token.
local function keep_result(key, token, reply, rank)
  redis.call('HSET', key, token, rank .. '\31' .. table.concat(reply, '\31'))
  return reply
end

-- The same for a script after which the session has a new state or none.
local function end_operation(key, token, reply, now)
  keep_result(key, token, reply, rank_of(now, false))
  redis.call('PEXPIREAT', key, integer(now + KEEP_RESULTS_MS))
  if redis.call('HLEN', key) >= 2 * KEPT_RESULTS then forget_oldest(key, now) end
  return reply
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
