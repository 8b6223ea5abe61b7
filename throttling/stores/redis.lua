-- The algorithm of throttling/stores/bucket.py in Lua, name by name.
-- KEYS: one string a bucket, all in one hash slot. ARGV: call (reserve, look or settle), id, ttl or at, rules as JSON.
local call, id, number, rules = ARGV[1], ARGV[2], tonumber(ARGV[3]), cjson.decode(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function used(state)
  local sum = 0
  for _, mark in pairs(state.marks) do sum = sum + mark[2] end
  return sum
end

local function drop(state, rule, at)
  for name, mark in pairs(state.marks) do
    if mark[1] <= at then state.marks[name] = nil end
  end
  if next(state.marks) == nil and state.locked + rule.span <= at then state.level = 0 end
end

local function slot_name(rule, at)
  return string.format('%.0f', math.floor(at / rule.slot))
end

local function mark(state, rule, at, member)
  local name = member ~= '' and member or slot_name(rule, at)
  local n = state.marks[name] and state.marks[name][2] or 0
  local till = (math.floor(at / rule.slot) + 1) * rule.slot + rule.span
  state.marks[name] = {till, rule.distinct and 1 or n + 1}
end

local function fail(state, rule, at, member)
  drop(state, rule, at)
  mark(state, rule, at, member)
  if used(state) < rule.allowed then return end
  state.hit = true
  if rule.lock > 0 then
    state.locked = at + math.min(rule.lock * 2 ^ math.min(state.level, 30), rule.lock_max)
    state.level = state.level + 1
    state.marks = {}
  end
end

local function read(key)
  local text = redis.call('GET', key)
  return text and cmsgpack.unpack(text) or {marks = {}, flights = {}, level = 0, locked = 0}
end

local function load(key, rule)
  local state, expired = read(key), {}
  state.hit = false
  for name, flight in pairs(state.flights) do
    if flight[1] <= now then
      table.insert(expired, flight)
      state.flights[name] = nil
    end
  end
  table.sort(expired, function(a, b) return a[1] < b[1] end)
  for _, flight in ipairs(expired) do fail(state, rule, flight[1], flight[2]) end
  drop(state, rule, now)
  return state
end

local function judge(state, rule)
  local pending, need, wait, count, members = 0, 1, 0, used(state), {}
  for _, flight in pairs(state.flights) do
    local member = flight[2]
    if not rule.distinct then
      pending = pending + 1
    elseif not state.marks[member] and not members[member] then
      members[member] = true
      pending = pending + 1
    end
  end
  if rule.distinct and (members[rule.member] or state.marks[rule.member]) then need = 0 end
  local soonest, latest = math.huge, math.max(state.locked, now)
  for _, m in pairs(state.marks) do
    soonest, latest = math.min(soonest, m[1]), math.max(latest, m[1])
  end
  if state.locked > now then
    wait = state.locked - now
  elseif count + need > rule.allowed then
    wait = soonest - now
  elseif count + pending + need > rule.allowed then
    wait = -1
  end
  return {used = count, pending = pending, need = need, wait = wait, reset = latest - now,
    level = state.level, locked = state.locked}
end

local function take(state, rule)
  if rule.attempts then
    mark(state, rule, now, rule.member)
  else
    state.flights[id] = {now + number, rule.member}
  end
end

local function finish(state, rule, at, outcome)
  local flight, name = state.flights[id], slot_name(rule, at)
  state.flights[id] = nil
  if flight and outcome == 'failed' then fail(state, rule, now, flight[2]) end
  if rule.attempts and outcome == 'released' and state.marks[name] then
    state.marks[name][2] = state.marks[name][2] - 1
    if state.marks[name][2] == 0 then state.marks[name] = nil end
  end
end

local function wipe(key)
  local state = read(key)
  for name, flight in pairs(state.flights) do
    if flight[1] <= now then state.flights[name] = nil end
  end
  if next(state.flights) == nil then
    redis.call('DEL', key)
  else
    local kept = {marks = {}, flights = state.flights, level = 0, locked = 0}
    redis.call('SET', key, cmsgpack.pack(kept), 'KEEPTTL')
  end
end

local function expiry(state, rule)
  local last = state.level > 0 and state.locked + rule.span or 0
  for _, m in pairs(state.marks) do last = math.max(last, m[1]) end
  for _, flight in pairs(state.flights) do
    last = math.max(last, flight[1] + rule.span + rule.slot + rule.lock_max)
  end
  return last
end

local function save(key, state, rule)
  local expires = expiry(state, rule)
  if expires == 0 then return redis.call('DEL', key) end
  local kept = {marks = state.marks, flights = state.flights, level = state.level, locked = state.locked}
  return redis.call('SET', key, cmsgpack.pack(kept), 'PX', string.format('%.0f', math.max(1, expires - now)))
end

local answer = {}
if call == 'settle' then
  for i, rule in ipairs(rules) do
    if rule['do'] == 'clear' then
      wipe(KEYS[i])
    else
      local state = load(KEYS[i], rule)
      finish(state, rule, number, rule['do'])
      save(KEYS[i], state, rule)
      table.insert(answer, {hit = state.hit, level = state.level, locked = state.locked})
    end
  end
  return cjson.encode(answer)
end

local states, granted = {}, true
for i, rule in ipairs(rules) do
  states[i] = load(KEYS[i], rule)
  answer[i] = judge(states[i], rule)
  granted = granted and answer[i].wait == 0
end
if granted and call == 'reserve' then
  for i, rule in ipairs(rules) do
    take(states[i], rule)
    save(KEYS[i], states[i], rule)
  end
end
return cjson.encode({granted = granted, at = now, verdicts = answer})
