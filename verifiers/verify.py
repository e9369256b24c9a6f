#!/usr/bin/env python3
"""核对抽奖账本，规则见 docs/fairness.md。Checks the ledger of a draw as docs/fairness.md says. Python 3.8, nothing else.
用法 Usage: python3 verify.py FILE [--head HASH]
退出码 Exit code: 0 成立 it holds; 1 不成立 it does not, the first bad line is named; 64 命令写错 wrong usage"""
import contextlib, hashlib, hmac, json, re, sys

ID, HEX64, CODE = "[A-Za-z0-9._-]{1,64}", "[0-9a-f]{64}", {"NORNAL": 1, "ONLY": 2, "DI_BAO": 3, None: 2**64 - 1}
NUMBER = {"seq": (8, 10**18 - 1), "type": (1, 4), "at_ms": (8, 253402300799999), "ppm": (4, 10**6), "number": (8, 10**9),
          "remaining": (8, 10**9), **dict.fromkeys(["round", "max_attempts", "attempt"], (4, 2**32 - 1))}  # bytes, most
FORM = {"salt": "[0-9a-f]{32}", "receipt": ID + "-(0|[1-9][0-9]{0,17})", "award": ".+", "kind": "NORNAL|ONLY|DI_BAO",
        **dict.fromkeys(["hash", "rules_hash", "commitment", "user_hash", "seed"], HEX64)}
RULES, AWARD = "activity max_attempts one_win_per_game_id", "id kind ppm number prefix name"
KEYS = {1: f"round {RULES} awards rules_hash commitment", 2: "round user salt user_hash attempt award remaining",
        3: "round seed", 4: "receipt reason"}
BODY = {**KEYS, 1: "round rules_hash commitment", 2: "round user_hash attempt award remaining"}
def need(holds, why):
    if not holds: raise ValueError(why)
def fits(key, value):
    if value is None: return key in ("number", "user", "salt", "award", "remaining")
    if key == "one_win_per_game_id": return type(value) is bool
    if key in NUMBER: return type(value) is int and 0 <= value <= NUMBER[key][1]
    if key == "awards": return type(value) is list and len(value) <= 1000 and all(has(award, AWARD) for award in value)
    return type(value) is str and re.fullmatch(FORM.get(key, ".*"), value, re.DOTALL)
def has(row, keys): return type(row) is dict and list(row) == keys.split() and all(fits(key, row[key]) for key in row)
def spell(row):
    escape = lambda c: c[0] if c[0] == r"\\" else "\\u%04x" % ord(json.loads('"' + c[0] + '"'))
    return re.sub(r"\\[bfnrt\\]", escape, json.dumps(row, ensure_ascii=False, separators=(",", ":"))).encode()
def read(line):  # the row of a canonical line
    try:
        row = json.loads(line.decode()) if len(line.rstrip(b"\n")) <= 4194304 else {}
        need(has(row, f"seq type at_ms {KEYS[row['type']]} hash") and spell(row) == line.rstrip(b"\n"), "")
    except (ValueError, TypeError, KeyError, RecursionError): raise ValueError("不是规范格式 it is not canonical") from None
    return row

def sha256(tag, *parts): return hashlib.sha256(b"hongbao/1/" + tag + b"".join(parts)).digest()
def u32(number): return number.to_bytes(4, "big")
def pack(row, keys):  # the bytes of the values under these keys, joined
    def one(key, value):
        if key in NUMBER: return CODE.get(value, value).to_bytes(NUMBER[key][0], "big")
        if key in ("kind", "one_win_per_game_id"): return CODE.get(value, value).to_bytes(1, "big")
        if key == "salt" or FORM.get(key) == HEX64: return bytes.fromhex(value)
        return u32(len((value or "").encode())) + (value or "").encode()
    return b"".join(one(key, row[key]) for key in keys.split())
def rules_hash(row):
    return sha256(b"rules", pack(row, RULES), u32(len(row["awards"])), *(pack(a, AWARD) for a in row["awards"])).hex()
def sealed(row, seed): return sha256(b"commit", pack(row, "activity round rules_hash"), seed) == pack(row, "commitment")

def outcomes(rules, left, seed, row):  # what the draw can have come to: with seed and user it is one
    found, low, high = [], 0, 2**64 - 1
    for i, award in enumerate(rules["awards"]):
        if not left[award["id"]]: continue  # nothing left, or null: DI_BAO
        if seed and row["user"] is not None:
            message = b"hongbao/1/draw" + pack(rules, "activity") + pack(row, "round user attempt") + u32(i // 4)
            low = high = int.from_bytes(hmac.new(seed, message, "sha256").digest()[i % 4 * 8:][:8], "big")
        if low < award["ppm"] * 2**64 // 10**6: found.append(award["id"])
        if high < award["ppm"] * 2**64 // 10**6: return found
    return found + [next((award for award in left if left[award] is None), None)]

def verify(open_file, head=""):
    """The first bad line (0: none), whether the ledger holds and ends with `head`, and what to tell."""
    seeds, left, wins, users, rules, seed, is_open = {}, {}, {}, {}, None, None, False  # wins: receipt → award, user
    number, at, rounds, draws, nameless, previous = 0, 0, 0, 0, 0, bytes(32)
    for line in open_file():
        with contextlib.suppress(ValueError, KeyError):
            if b'"type":3,' in line: seeds.setdefault(read(line)["round"], pack(read(line), "seed"))
    try:
        for number, line in enumerate(open_file(), 1):
            row = read(line)
            kind, award, user, body = row["type"], row.get("award"), row.get("user"), pack(row, BODY[row["type"]])
            previous = sha256(b"leaf", previous, pack(row, "seq type at_ms"), u32(len(body)), body)
            need(row["seq"] == number - 1 and row["hash"] == previous.hex() and row["at_ms"] >= at,
                 "序号、校验码或时间不对 the seq, the hash or the time is wrong")
            if kind == 1:
                awards, held = row["awards"], [award for award, _ in wins.values()]
                left = {a["id"]: a["number"] for a in awards}
                need(not is_open and row["round"] == rounds + 1, "轮次不对 it is not the round that is due")
                need(row["rules_hash"] == rules_hash(row), "规则指纹不对 the rules hash is wrong")
                need(all(re.fullmatch(ID, i) for i in [row["activity"], *left]) and 0 < len(left) == len(awards)
                     and row["activity"] == (rules or row)["activity"], "活动或奖品的 id 不对 an id is wrong")
                need(all((a["number"], a["ppm"]) == (None, 0) if a["kind"] == "DI_BAO" else a["number"] is not None
                         and (a["kind"] == "NORNAL" or a["number"] <= (a["id"] not in held)) for a in awards)
                     and [*left.values()].count(None) <= 1, "奖品数量不对 the numbers of the awards are wrong")
                rules, rounds = row, rounds + 1
                seed = seeds.get(rounds) if sealed(row, seeds.get(rounds, b"")) else None
            elif kind == 4:
                need(row["receipt"] in wins, "没有可作废的中奖 there is no win to be voided")
                award, user = wins.pop(row["receipt"])
                if left.get(award) is not None: left[award] += 1
                if user is not None: users[user] = users[user][0], users[user][1] + 1, False
            else:
                need(is_open and row["round"] == rounds, "没有这一轮 that round is not open")
                need(kind == 2 or sealed(rules, pack(row, "seed")), "种子与承诺不符 the seed is not the committed one")
            at, is_open = row["at_ms"], kind in (1, 2) or kind == 4 and is_open
            if kind != 2: continue
            U = None if user is None or row["salt"] is None else sha256(b"user", pack(row, "salt user")).hex()
            need(U == row["user_hash"] or user is row["salt"] is None, "用户指纹不对 the user hash is wrong")
            need(award in outcomes(rules, left, seed, row), "结果不对 the outcome is wrong")
            rest = 0 if award is None else left[award] and left[award] - 1  # null for DI_BAO
            need(row["remaining"] == rest or rest is None and row["remaining"] == 0, "剩余不对 what remains is wrong")
            last, free, has_won = users.get(user, (row["attempt"] - 1, row["attempt"] - 1, False))
            need(row["attempt"] == last + 1 and (user is None or user in users or last <= nameless), "次数不对 attempt")
            need(0 < row["attempt"] <= free + (rules["max_attempts"] or 2**32), "次数用完了 no attempt was left")
            need(not (has_won and award), "已经中过奖 the user holds a win")
            if user is not None: users[user] = row["attempt"], free, has_won or award is not None
            if award is not None: left[award], wins[f"{rules['activity']}-{number - 1}"] = rest, (award, user)
            draws, nameless = draws + 1, nameless + (user is None)
        need(number, "没有内容 there is no line")
    except ValueError as why: return number or 1, False, f"✗ 第 {number or 1} 行不成立 line {number or 1} is bad: {why}"
    holds = previous.hex().startswith(head.lower())
    told = "✓ 账本成立 the ledger holds" if holds else "✗ 末行不是所给的校验码 the last row has another hash than given"
    return 0, holds, f"{told}: {number} rows, {rounds} rounds, {draws} draws ({nameless} 行没有用户 without a user)" + (
        "，最后一轮未结束，结果尚不能重算 the last round is open" if is_open else "") + "\n末行 head " + previous.hex()

if __name__ == "__main__":
    words = re.fullmatch("([^\0-][^\0]*)(\0--head\0([0-9A-Fa-f]{16}([0-9A-Fa-f]{48})?))?", "\0".join(sys.argv[1:]))
    if not words: sys.exit(print(__doc__, file=sys.stderr) or 64)
    try: _, holds, told = verify(lambda: open(words[1], "rb"), words[3] or "")
    except OSError as error: sys.exit(str(error))
    sys.stdout.buffer.write(told.encode() + b"\n")
    sys.exit(not holds)
