-- Reversals: what a transaction took is given back, whether it came before, comes later or never.

-- Of several that come before their original the one that leaves least counts.
local function remember(early, original, remaining)
  for from = 1, #early, EARLY do
    local amount = from + KEY
    if string.sub(early, from, amount - 1) == original then
      return string.sub(early, 1, amount - 1) .. packed(math.min(remaining, unpacked(early, amount)))
        .. string.sub(early, from + EARLY)
    end
  end
  return string.sub(original .. packed(remaining) .. early, 1, EARLY * EARLY_MAX)
end

-- Takes no more notice of how often it is asked than the record does: it lowers what is taken to what remains of it, so
-- that a second reversal, with the same or another number, finds nothing to give back.
-- KEYS: card, journal.
-- ARGV: transmission, fingerprint, transmission of the original (zeros where unknown), remaining minor units,
--       currency, journal entry, token, kind with day.
-- Returns as a commit does; effect: "r" amount given back, then "d" found by its numbers or "r" by its reference; "o":
-- not found, kept for its original; "x": found, but it had been declined.
local function reverse(keys, args)
  local card = redis.call('HMGET', keys[1], 'st', 'pm', 'pu', 'av', 'an', 'tk', 'er', 'sp', 'cu')
  local kept, available = card[5], tonumber(card[4] or 0)
  local tries_left, remaining = tonumber(card[2] or 0) - tonumber(card[3] or 0), tonumber(args[4])
  local declined, effect = card[1] and 0 or UNKNOWN_CARD, nil
  local earlier = card[1] and answered(kept, args[1])
  if earlier and string.sub(earlier, 1, 8) == args[2] then return '1;' .. answer_again(earlier, tries_left, available) end
  if earlier then declined = OTHER_CONTENT end
  if declined == 0 and remaining > 0 and args[5] ~= card[9] then declined = WRONG_CURRENCY end
  if declined == 0 then
    local found = locate(kept, card[6], args[3])
    if not found or found.doubtful then
      redis.call('HSET', keys[1], 'er', remember(card[7] or '', args[3], remaining))
    end
    if not found or found.doubtful and found.declined ~= 0 then
      effect = 'o'
    elseif found.declined ~= 0 then
      effect = 'x'
    else
      local back = math.max(0, found.taken - remaining)
      available = available + (found.kind == REFUND and -back or back)
      local days = back > 0 and give_back(card[8], found, back, remaining == 0) or card[8]
      if days and days ~= card[8] then redis.call('HSET', keys[1], 'sp', days) end
      if back > 0 or remaining == 0 then
        kept = mark(keys[1], kept, card[6], found, found.taken - back, remaining == 0 and REVERSED or 0)
      end
      effect = string.format('r%.0f', back) .. found.by
    end
    kept = keep(keys[1], kept, args[1] .. args[2] .. string.char(0) .. '------' .. args[8] .. NOTHING)
    redis.call('HSET', keys[1], 'av', string.format('%.0f', available), 'an', kept)
  end
  local result = declined .. ';-;0;' .. tries_left .. ';' .. string.format('%.0f', available)
  if effect then result = result .. ';' .. effect end
  redis.call('XADD', keys[2], '*', 'e', args[6], 'r', result, 'c', args[7])
  return '0;' .. result
end

redis.register_function{ function_name = 'cardstate_reverse', callback = reverse }
