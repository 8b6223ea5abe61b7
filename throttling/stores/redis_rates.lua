-- The script of throttling/stores/redis.py, for all buckets of one owner: this file, then redis.lua.
-- KEYS: the mark of trust, the owner's state; both in one hash slot.
-- ARGV: call (rates, reserve, look or settle), trust_ms, rules, id, ttl or at (both not for rates), identity of this
-- server. Rules are JSON, without what is 0 or false; those of the call `rates` are packed as RULE, by name.
--
-- A slot's mark lives until (slot + 1) * rule.slot + rule.span; a named one says until when: {until, n}. The state of an
-- owner is one string. Where nothing but slots counts, as with all rates: PLAIN, then each bucket by name, as HEAD and
-- its slots, oldest first, as SLOT. Else MessagePack: {bucket name: {expires (s), slot size (ms), {slot, n, slot, n,
-- ...}, flights, level, locked, named marks}}, without the last four where there are none.
local PLAIN = 'R'
local RULE = '>sI4I6I4'  -- name, slot (ms), span (ms), allowed
local HEAD = '>sI4I4I4I2'  -- name, expires (s), slot size (ms), sum of n, number of slots
local SLOT, SLOT_BYTES = '>I6I4', 10  -- slot, n
local HEAD_AND_SLOT = HEAD .. 'I6I4'
local STEP = 60000  -- a clock that is set back by less makes nobody wait longer than that
local pack, unpack, sub, floor, ceil = struct.pack, struct.unpack, string.sub, math.floor, math.ceil

local call, identity = ARGV[1], ARGV[#ARGV]
local clock, mark = redis.call('TIME'), redis.call('GET', KEYS[1])
local now = clock[1] * 1000 + floor(clock[2] / 1000)

-- A server is believed once it has counted for the longest window without losing anything. The mark names the server
-- and says from when on: it is missing after a loss, and names another server after a restart or a promotion.
local since = mark and string.find(mark, identity, 1, true) == 1 and tonumber(sub(mark, #identity + 2))
if not since or since > now + ARGV[2] then  -- later than any now sets it: the clock was ahead
  since = now + ARGV[2]
  redis.call('SET', KEYS[1], string.format('%s %.0f', identity, since))
end
if now < since then return 'wait,' .. string.format('%.0f', since - now) end

-- What nearly every call asks for, in a third of the time: rates, all granted, in a plain state. The buckets that stand
-- and the rules are merged by name; of a bucket only its dead slots and its last one are looked at. It says what the
-- functions below say of it; nil leaves the decision to them.
local function grant_rates(text, rules)
  local parts, n, answer, latest = {PLAIN}, 1, {'G' .. pack('>I8', now)}, 0
  local at, name, expires, size, sum, count, slots, after = 2, nil, nil, nil, nil, nil, nil, nil
  local function read()
    if at > #text then name = nil return end
    name, expires, size, sum, count, slots = unpack(HEAD, text, at)
    after = slots + count * SLOT_BYTES
  end
  local function copy()
    if expires * 1000 > now then
      n = n + 1
      parts[n], latest = sub(text, at, after - 1), math.max(latest, expires)
    end
    at = after
    read()
  end

  read()
  local place, rule, rule_slot, span, allowed = 1, nil, nil, nil, nil
  while place <= #rules do
    local earlier = rule
    rule, rule_slot, span, allowed, place = unpack(RULE, rules, place)
    if earlier and not (earlier < rule) then return nil end  -- merged out of order, a bucket would stand twice
    while name and name < rule do copy() end
    local slot, marks, used, kept, first, stop = floor(now / rule_slot), 1, 0, 0, 1, 1
    if name == rule then
      if size ~= rule_slot then return nil end
      used, kept, first, stop = sum, count, slots, after
      local dead_until = (now - span) / size - 1
      while kept > 0 do
        local oldest, dead = unpack(SLOT, text, first)
        if oldest > dead_until then break end
        used, kept, first = used - dead, kept - 1, first + SLOT_BYTES
      end
      if kept > 0 then
        local last, before = unpack(SLOT, text, stop - SLOT_BYTES)
        if last > slot then return nil end
        if last == slot then marks, kept, stop = before + 1, kept - 1, stop - SLOT_BYTES end
      end
      at = after
      read()
    end
    if used >= allowed then return nil end
    local ends = ceil(((slot + 1) * rule_slot + span) / 1000)
    if kept == 0 then
      n = n + 1
      parts[n] = pack(HEAD_AND_SLOT, rule, ends, rule_slot, used + 1, 1, slot, marks)
    else
      parts[n + 1], parts[n + 2] = pack(HEAD, rule, ends, rule_slot, used + 1, kept + 1), sub(text, first, stop - 1)
      n = n + 3
      parts[n] = pack(SLOT, slot, marks)
    end
    if ends > latest then latest = ends end
    answer[#answer + 1] = pack('>I4', used)
  end
  while name do copy() end
  redis.call('SET', KEYS[2], table.concat(parts), 'PXAT', latest * 1000)
  return table.concat(answer)
end
