-- The algorithm of throttling/stores/bucket.py in Lua, name by name: whatever redis_rates.lua, with which this is one
-- script, did not grant at once.
local text, rules = redis.call('GET', KEYS[2]) or PLAIN, ARGV[3]
local is_plain = string.byte(text) == string.byte(PLAIN)
if call == 'rates' then
  local granted = is_plain and grant_rates(text, rules)
  if granted then return granted end
  local packed, place = rules, 1
  rules = {}
  while place <= #packed do
    local rule = {attempts = true}
    rule.name, rule.slot, rule.span, rule.allowed, place = unpack(RULE, packed, place)
    rules[#rules + 1] = rule
  end
else
  rules = cjson.decode(rules)
end

local id, number = ARGV[4], tonumber(ARGV[5])
local owner = is_plain and {} or cmsgpack.unpack(text)
if is_plain then
  local at = 2
  while at <= #text do
    local name, expires, size, _, count, slots = unpack(HEAD, text, at)
    local kept = {}
    at = slots
    for i = 1, 2 * count, 2 do kept[i], kept[i + 1], at = unpack(SLOT, text, at) end
    owner[name] = {expires, size, kept}
  end
end

local function plain(names)
  local parts = {PLAIN}
  table.sort(names)
  for _, name in ipairs(names) do
    local expires, size, slots, sum = owner[name][1], owner[name][2], owner[name][3], 0
    for i = 2, #slots, 2 do sum = sum + slots[i] end
    parts[#parts + 1] = pack(HEAD, name, expires, size, sum, #slots / 2)
    for i = 1, #slots, 2 do parts[#parts + 1] = pack(SLOT, slots[i], slots[i + 1]) end
  end
  return table.concat(parts)
end

local function save()
  local names, last, is_any_more = {}, 0, false
  for name, kept in pairs(owner) do
    if kept[1] * 1000 <= now then
      owner[name] = nil
    else
      names[#names + 1], last = name, math.max(last, kept[1])
      is_any_more = is_any_more or kept[4] ~= nil
    end
  end
  if last == 0 then return redis.call('DEL', KEYS[2]) end
  redis.call('SET', KEYS[2], is_any_more and cmsgpack.pack(owner) or plain(names), 'PXAT', last * 1000)
end

local NONE = {}  -- stands for every empty table that nothing is written to

local function used(state)
  local sum, slots = 0, state.slots
  for i = 2, #slots, 2 do sum = sum + slots[i] end
  for _, mark in pairs(state.named) do sum = sum + mark[2] end
  return sum
end

local function drop(state, rule, at)
  local slots, dead_until, is_any_dead = state.slots, (at - rule.span) / rule.slot - 1, false
  for i = 1, #slots, 2 do is_any_dead = is_any_dead or slots[i] <= dead_until end
  if is_any_dead then
    local alive = {}
    for i = 1, #slots, 2 do
      if slots[i] > dead_until then alive[#alive + 1], alive[#alive + 2] = slots[i], slots[i + 1] end
    end
    state.slots = alive
  end
  for name, mark in pairs(state.named) do
    if mark[1] <= at then state.named[name] = nil end
  end
  if state.level > 0 and #state.slots == 0 and next(state.named) == nil and state.locked + rule.span <= at then
    state.level = 0
  end
end

local function find_slot(slots, slot)
  for i = #slots - 1, 1, -2 do
    if slots[i] == slot then return i + 1 end
  end
end

local function mark(state, rule, at, member)
  local slot, slots = floor(at / rule.slot), state.slots
  if member then
    if state.named == NONE then state.named = {} end
    local n = state.named[member] and state.named[member][2] or 0
    state.named[member] = {(slot + 1) * rule.slot + rule.span, rule.distinct and 1 or n + 1}
    return
  end
  local i = #slots - 1
  while i > 0 and slots[i] > slot do i = i - 2 end
  if i > 0 and slots[i] == slot then
    slots[i + 1] = slots[i + 1] + 1
  else
    table.insert(slots, i + 2, slot)
    table.insert(slots, i + 3, 1)
  end
end

local function fail(state, rule, at, member)
  drop(state, rule, at)
  mark(state, rule, at, member ~= '' and member or nil)
  if used(state) < rule.allowed then return end
  state.hit = 1
  if rule.lock then
    state.locked = at + math.min(rule.lock * 2 ^ math.min(state.level, 30), rule.lock_max)
    state.level = state.level + 1
    state.slots, state.named = {}, {}
  end
end

-- The limit was set anew meanwhile: a count moves into the slot that holds the end of its old one. Those of one slot
-- become one: else nodes that disagree about a limit could make a bucket grow until its number of slots overflows.
local function resize(slots, before, after)
  local moved = {}
  for i = 1, #slots, 2 do
    local slot, last = floor(((slots[i] + 1) * before - 1) / after), #moved
    if slot == moved[last - 1] then
      moved[last] = moved[last] + slots[i + 1]
    else
      moved[last + 1], moved[last + 2] = slot, slots[i + 1]
    end
  end
  return moved
end

-- What a clock that was ahead counted would stand for as long as it was: once it is set right, that is let go of, but
-- nothing that never ages.
local function let_go(kept, rule)
  local slots, latest = kept[3], now + STEP
  while #slots > 0 and slots[#slots - 1] * kept[2] > latest do slots[#slots], slots[#slots - 1] = nil, nil end
  if not kept[4] then return end
  for name, mark in pairs(kept[7]) do
    if name ~= '-' and mark[1] > latest + rule.slot + rule.span then kept[7][name] = nil end
  end
  if kept[6] > latest + (rule.lock_max or 0) then kept[6] = now end
end

local function load(kept, rule)
  local state = {hit = 0, slots = {}, flights = NONE, level = 0, locked = 0, named = NONE}
  if kept then
    let_go(kept, rule)
    state.slots = kept[3]
    if kept[2] ~= rule.slot then state.slots = resize(state.slots, kept[2], rule.slot) end
    if kept[4] then state.flights, state.level, state.locked, state.named = kept[4], kept[5], kept[6], kept[7] end
  end
  if state.flights ~= NONE then
    local expired = {}
    for name, flight in pairs(state.flights) do
      if flight[1] <= now then
        expired[#expired + 1] = flight
        state.flights[name] = nil
      end
    end
    table.sort(expired, function(a, b) return a[1] < b[1] end)
    for _, flight in ipairs(expired) do fail(state, rule, flight[1], flight[2]) end
  end
  drop(state, rule, now)
  return state
end

local function in_flight(state, rule)
  local pending, members = 0, {}
  for _, flight in pairs(state.flights) do
    local member = flight[2]
    if not rule.distinct then
      pending = pending + 1
    elseif not state.named[member] and not members[member] then
      members[member] = true
      pending = pending + 1
    end
  end
  return pending, members
end

local function judge(state, rule)
  local pending, need, wait, count, members = 0, 1, 0, used(state), nil
  if not rule.attempts then pending, members = in_flight(state, rule) end
  if rule.distinct and (members[rule.member] or state.named[rule.member]) then need = 0 end
  if state.locked <= now and count + pending + need <= rule.allowed then return 0, count, pending, need end
  local soonest = math.huge
  for i = 1, #state.slots, 2 do soonest = math.min(soonest, (state.slots[i] + 1) * rule.slot + rule.span) end
  for _, m in pairs(state.named) do soonest = math.min(soonest, m[1]) end
  if state.locked > now then
    wait = state.locked - now
  elseif count + need > rule.allowed then
    wait = soonest - now
  else
    wait = -1
  end
  return wait, count, pending, need
end

local function reset(state, rule)
  local latest = math.max(state.locked, now)
  for i = 1, #state.slots, 2 do latest = math.max(latest, (state.slots[i] + 1) * rule.slot + rule.span) end
  for _, m in pairs(state.named) do latest = math.max(latest, m[1]) end
  return latest - now
end

local function take(state, rule)
  if rule.attempts then
    mark(state, rule, now, rule.member)
  else
    if state.flights == NONE then state.flights = {} end
    state.flights[id] = {now + number, rule.member or ''}
  end
end

local function finish(state, rule, at, outcome)
  local flight = state.flights[id]
  if flight then state.flights[id] = nil end
  if flight and outcome == 'failed' then fail(state, rule, now, flight[2]) end
  local place = rule.attempts and outcome == 'released' and find_slot(state.slots, floor(at / rule.slot))
  if place then
    state.slots[place] = state.slots[place] - 1
    if state.slots[place] == 0 then
      table.remove(state.slots, place)
      table.remove(state.slots, place - 1)
    end
  end
end

local function expiry(state, rule)
  local last, slots = state.level > 0 and state.locked + rule.span or 0, state.slots
  for i = 1, #slots, 2 do last = math.max(last, (slots[i] + 1) * rule.slot + rule.span) end
  for _, m in pairs(state.named) do last = math.max(last, m[1]) end
  for _, flight in pairs(state.flights) do
    last = math.max(last, flight[1] + rule.span + rule.slot + (rule.lock_max or 0))
  end
  return last
end

local function keep(state, rule)
  local expires = ceil(expiry(state, rule) / 1000)
  if expires == 0 then return nil end
  if state.level > 0 or next(state.flights) or next(state.named) then
    return {expires, rule.slot, state.slots, state.flights, state.level, state.locked, state.named}
  end
  return {expires, rule.slot, state.slots}
end

local function wipe(name)
  local kept = owner[name]
  local flights = kept and kept[4] or {}
  for flight, value in pairs(flights) do
    if value[1] <= now then flights[flight] = nil end
  end
  owner[name] = next(flights) and {kept[1], kept[2], {}, flights, 0, 0, {}} or nil
end

local function clear(rule)
  if not rule.all then return wipe(rule.name) end
  local prefix = rule.name .. ':'
  for name in pairs(owner) do
    if name == rule.name or string.sub(name, 1, #prefix) == prefix then wipe(name) end
  end
end

local answer = {}
if call == 'settle' then
  for _, rule in ipairs(rules) do
    if rule.act == 'clear' then
      clear(rule)
    else
      local state = load(owner[rule.name], rule)
      finish(state, rule, number, rule.act)
      owner[rule.name] = keep(state, rule)
      answer[#answer + 1] = table.concat({state.hit, state.level, state.locked}, ',')
    end
  end
  save()
  return table.concat(answer, ';')
end

-- A verdict of a reservation that is granted is short: used, pending, need. Else all of it is told.
local states, verdicts, granted = {}, {}, 1
for i, rule in ipairs(rules) do
  states[i] = load(owner[rule.name], rule)
  local wait, count, pending, need = judge(states[i], rule)
  verdicts[i], answer[i] = wait, count .. ',' .. pending .. ',' .. need
  if wait ~= 0 then granted = 0 end
end
if granted == 0 or call == 'look' then
  for i, rule in ipairs(rules) do
    local state = states[i]
    answer[i] = table.concat({answer[i], verdicts[i], reset(state, rule), state.level, state.locked}, ',')
  end
else
  for i, rule in ipairs(rules) do
    take(states[i], rule)
    owner[rule.name] = keep(states[i], rule)
  end
  save()
end
return granted .. ',' .. now .. ';' .. table.concat(answer, ';')
