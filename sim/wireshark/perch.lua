-- Wire of a bay -> here -> Wireshark's window: COBS frames, their check, and what the link says in each.
--
-- Put this file into Wireshark's folder of personal Lua plugins (Help > About > Folders), or say
--     tshark -X lua_script:perch.lua -r wing.pcapng
-- The frame is that of protocol/frame.py, the kinds those of protocol/link/packets.py. A packet of the capture is what
-- arrived at once: it may hold many frames, or a piece of one. The session inside of DATA stays encrypted.

local CHECK_BYTES = 5
local FRAME_BYTES_MAX = 8230 -- no frame is longer on the wire; more without a zero is noise, and is not kept
local KINDS = { [0] = "HELLO", "DATA", "DATA ask", "ACK", "PING", "CLAIM", "REFER" }
local CLAIM_BLOCK_BYTES = 64

local perch = Proto("perch", "Perch link")
local f = {
  direction = ProtoField.string("perch.direction", "Direction"),
  frame = ProtoField.bytes("perch.frame", "Frame"),
  length = ProtoField.uint32("perch.frame_length", "Bytes between the zeros"),
  check = ProtoField.uint32("perch.check", "CRC-32", base.HEX),
  ok = ProtoField.bool("perch.check_ok", "CRC is right"),
  kind = ProtoField.uint8("perch.kind", "Kind", base.DEC, KINDS),
  offset = ProtoField.uint24("perch.offset", "Offset in the stream (modulo 2^24)"),
  serial = ProtoField.uint16("perch.serial", "Serial"),
  size = ProtoField.uint32("perch.size", "Bytes of the stream"),
  data = ProtoField.bytes("perch.data", "Session bytes (encrypted)"),
  versions = ProtoField.string("perch.hello.versions", "Versions"),
  up = ProtoField.bool("perch.hello.up", "Takes the connection for established"),
  name = ProtoField.bytes("perch.hello.name", "Own name"),
  peer = ProtoField.bytes("perch.hello.peer", "Peer's name"),
  window = ProtoField.uint32("perch.hello.window", "Window"),
  data_max = ProtoField.uint16("perch.hello.data_max", "Most bytes of a DATA frame"),
  greeting = ProtoField.bytes("perch.hello.greeting", "Greeting (a handshake message)"),
  newest = ProtoField.uint16("perch.ack.newest", "Newest serial"),
  damage = ProtoField.uint16("perch.ack.damage", "Damaged segments"),
  credit = ProtoField.uint32("perch.ack.credit", "Credit"),
  range = ProtoField.string("perch.ack.range", "Is here"),
  claim = ProtoField.uint16("perch.claim.check", "Check of a block", base.HEX),
  run = ProtoField.string("perch.refer.run", "Right if its CRC-32 is"),
  partial = ProtoField.uint32("perch.partial", "Bytes of a frame that goes on in a later packet"),
  noise = ProtoField.uint32("perch.noise", "Longer than any frame without a zero, at least"),
}
perch.fields = f
local damaged = ProtoExpert.new("perch.damaged", "Damaged frame", expert.group.CHECKSUM, expert.severity.WARN)
local strange = ProtoExpert.new("perch.strange", "Frame of impossible content", expert.group.MALFORMED,
  expert.severity.ERROR)
perch.experts = { damaged, strange }

local interface_id = Field.new("frame.interface_id")

-- CRC-32 on whichever bit library this Lua has
local xor
if bit32 then xor = bit32.bxor
elseif bit then xor = function(a, b) return bit.bxor(a, b) % 4294967296 end
else xor = load("return function(a, b) return a ~ b end")() end
local crc_of = {}
for byte = 0, 255 do
  local value = byte
  for _ = 1, 8 do
    local low = value % 2
    value = (value - low) / 2
    if low == 1 then value = xor(math.floor(value), 0xEDB88320) end
  end
  crc_of[byte] = math.floor(value)
end

local function crc32(text)
  local value = 0xFFFFFFFF
  for at = 1, #text do
    local low = xor(value, text:byte(at)) % 256
    value = xor(math.floor(value / 256), crc_of[low])
  end
  return xor(value, 0xFFFFFFFF)
end

-- The five bytes of the check as a number, or nil where they are none.
local function check_of(text)
  local value = 0
  for at = 1, CHECK_BYTES do
    local digit = text:byte(at)
    if digit < 0x80 or (at == 1 and digit > 0x8F) then return nil end
    value = value * 128 + digit - 0x80
  end
  return value
end

-- COBS undone; nil where its code bytes do not fit together.
local function unstuff(text)
  local out, at = {}, 1
  while at <= #text do
    local code = text:byte(at)
    if at + code - 1 > #text then return nil end
    out[#out + 1] = text:sub(at + 1, at + code - 1)
    at = at + code
    if code < 255 and at <= #text then out[#out + 1] = "\0" end
  end
  return table.concat(out)
end

local function add_hello(tree, body)
  if body:len() < 35 or body(1, 5):string() ~= "perch" then return nil end
  tree:add(f.versions, body(6, 2), body(6, 1):uint() .. " to " .. body(7, 1):uint())
  tree:add(f.up, body(8, 1), body(8, 1):uint() % 2 == 1)
  tree:add(f.name, body(9, 10))
  tree:add(f.peer, body(19, 10))
  tree:add(f.window, body(29, 4))
  tree:add(f.data_max, body(33, 2))
  if body:len() > 35 then tree:add(f.greeting, body(35)) end
  return body:len() > 35 and ("greeting " .. body:len() - 35) or ""
end

local function add_data(tree, body)
  if body:len() < 7 then return nil end
  tree:add(f.offset, body(1, 3))
  tree:add(f.serial, body(4, 2))
  tree:add(f.size, body(6), body:len() - 6)
  tree:add(f.data, body(6))
  return ("%d+%d serial %d"):format(body(1, 3):uint(), body:len() - 6, body(4, 2):uint())
end

local function add_ack(tree, body)
  if body:len() < 12 or (body:len() - 12) % 6 ~= 0 then return nil end
  local at = body(1, 3):uint()
  local info = ("%d newest %d credit %d"):format(at, body(4, 2):uint(), body(8, 4):uint())
  tree:add(f.offset, body(1, 3))
  tree:add(f.newest, body(4, 2))
  tree:add(f.damage, body(6, 2))
  tree:add(f.credit, body(8, 4))
  for index = 12, body:len() - 6, 6 do
    local first = at + body(index, 3):uint()
    at = first + body(index + 3, 3):uint()
    tree:add(f.range, body(index, 6), first .. " to " .. at)
    info = info .. (" +[%d,%d)"):format(first, at)
  end
  return info
end

local function add_ping(tree, body)
  if body:len() ~= 3 then return nil end
  tree:add(f.serial, body(1, 2))
  return "serial " .. body(1, 2):uint()
end

local function add_claim(tree, body)
  if body:len() < 6 then return nil end
  local size = body(4, 2):uint()
  if size == 0 or body:len() ~= 6 + 2 * math.floor((size + CLAIM_BLOCK_BYTES - 1) / CLAIM_BLOCK_BYTES) then
    return nil
  end
  tree:add(f.offset, body(1, 3))
  tree:add(f.size, body(4, 2))
  for index = 6, body:len() - 2, 2 do tree:add(f.claim, body(index, 2)) end
  return ("%d+%d"):format(body(1, 3):uint(), size)
end

local function add_refer(tree, body)
  if body:len() < 14 or (body:len() - 6) % 8 ~= 0 then return nil end
  local start = body(1, 3):uint()
  tree:add(f.offset, body(1, 3))
  tree:add(f.serial, body(4, 2))
  local bytes = 0
  for index = 6, body:len() - 8, 8 do
    local first, size = start + body(index, 2):uint(), body(index + 2, 2):uint()
    bytes = bytes + size
    tree:add(f.run, body(index, 8),
      ("%d to %d, CRC-32 0x%08x"):format(first, first + size, body(index + 4, 4):uint()))
  end
  tree:add(f.size, body(6), bytes)
  return ("%d, %d bytes, serial %d"):format(start, bytes, body(4, 2):uint())
end

local ADD = { [0] = add_hello, add_data, add_data, add_ack, add_ping, add_claim, add_refer }

-- One frame between two zeros: `segment` as text, `range` where it is shown. Returns its words for the info column.
local function add_frame(tree, segment, range)
  local sub = tree:add(f.frame, range)
  sub:add(f.length, range, #segment):set_generated()
  local wanted = #segment > CHECK_BYTES and check_of(segment:sub(-CHECK_BYTES)) or nil
  local body = wanted and segment:sub(1, -CHECK_BYTES - 1)
  local payload = wanted and crc32(body) == wanted and unstuff(body) or nil
  if wanted then sub:add(f.check, range(#segment - CHECK_BYTES, CHECK_BYTES), wanted) end
  sub:add(f.ok, range, payload ~= nil):set_generated()
  if not payload then
    sub:set_text("Damaged frame, " .. #segment .. " bytes")
    sub:add_proto_expert_info(damaged)
    return "DAMAGED " .. #segment
  end
  local view = ByteArray.new(payload, true):tvb("Frame without COBS")
  local kind = payload:byte(1)
  if not kind then
    sub:add_proto_expert_info(strange)
    return "EMPTY"
  end
  sub:add(f.kind, view(0, 1))
  local words = ADD[kind] and ADD[kind](sub, view)
  local name = KINDS[kind] or ("kind " .. kind)
  if not words then
    sub:add_proto_expert_info(strange)
    words = "of impossible content"
  end
  local line = words == "" and name or name .. " " .. words
  sub:set_text(line .. " (CRC is right)")
  return line
end

local carried, before -- by interface and direction: the piece of a frame that waits; by packet: what waited before it

function perch.init()
  carried, before = {}, {}
end

function perch.dissector(tvb, pinfo, root)
  local up = pinfo.p2p_dir == 1 -- P2P_DIR_RECV: inbound, from the device
  local key = tostring(interface_id()) .. (up and "up" or "down")
  if not pinfo.visited or not before[pinfo.number] then before[pinfo.number] = carried[key] or "" end
  local held = before[pinfo.number]
  local text = held .. (tvb:len() > 0 and tvb:raw(0, tvb:len()) or "")
  local tree = root:add(perch, tvb())
  tree:add(f.direction, tvb(), up and "up" or "down"):set_generated()
  local whole = #held > 0 and ByteArray.new(text, true):tvb("With what waited") or tvb
  local words, at = {}, 1
  while true do
    local zero = text:find("\0", at, true)
    if not zero then break end
    if zero - at > FRAME_BYTES_MAX then
      tree:add(f.noise, whole(at - 1, zero - at), zero - at)
      words[#words + 1] = "NOISE"
    elseif zero > at then
      words[#words + 1] = add_frame(tree, text:sub(at, zero - 1), whole(at - 1, zero - at))
    end
    at = zero + 1
  end
  local rest = text:sub(at)
  if #rest > 0 then
    tree:add(f.partial, whole(at - 1, #rest), #rest)
    if #words == 0 then words[1] = "... " .. #rest end
  end
  if not pinfo.visited then carried[key] = rest:sub(1, FRAME_BYTES_MAX + 1) end
  pinfo.cols.protocol = "PERCH"
  pinfo.cols.src = up and "device" or "hub"
  pinfo.cols.dst = up and "hub" or "device"
  pinfo.cols.info = table.concat(words, " | ")
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, perch)
