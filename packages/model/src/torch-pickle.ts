import { ClaraError } from "@clara/core";
import { allowedGlobals, call, onlyTensors, storageOf, type TorchStorage, type TorchValue } from "./torch-objects.ts";

/** A checkpoint of a 7B model with three adapters needs 0.2 MB. */
const pickleLimit = 16 * 2 ** 20;
const stringLimit = 1024;

/**
 * Reads `data.pkl` of a torch file: not Python's pickle machine, but the 34 opcodes and six names that checkpoints of
 * tensors use. Nothing is called: a "call" of one of the six is a check of its arguments.
 *
 * @throws ClaraError "weights" that names the first opcode or global outside the list, or what is malformed.
 * @see https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
export function readTorchPickle(bytes: Uint8Array): TorchValue {
  if (bytes.length > pickleLimit) {
    fail(`its data.pkl has ${bytes.length} bytes, more than ${pickleLimit}; this is no checkpoint of adapters`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const stack: TorchValue[] = [];
  const marks: number[] = [];
  const memo = new Map<number, TorchValue>();
  const known = new Map<string, TorchStorage>();
  let at = 0;

  const take = (count: number): number => {
    const start = at;
    if (count > bytes.length - at) fail(`data.pkl ends at byte ${bytes.length}, inside an instruction; copy it again`);
    at += count;
    return start;
  };
  const floor = (): number => marks.at(-1) ?? 0;
  const pop = (): TorchValue => {
    if (stack.length <= floor()) fail(`data.pkl takes more from its stack than it put there, at byte ${at}`);
    return stack.pop() as TorchValue;
  };
  const peek = (): TorchValue => {
    if (stack.length <= floor()) fail(`data.pkl looks for a value that is not on its stack, at byte ${at}`);
    return stack.at(-1) as TorchValue;
  };
  const popMark = (): TorchValue[] => {
    const mark = marks.pop();
    if (mark === undefined) fail(`data.pkl has no mark to go back to, at byte ${at}`);
    return stack.splice(mark as number);
  };
  const popMany = (count: number): TorchValue[] => Array.from({ length: count }, pop).reverse();
  const remember = (index: number): void => void memo.set(index, peek());
  const recall = (index: number): void => {
    const value = memo.get(index);
    if (value === undefined) fail(`data.pkl asks for value ${index}, which it has not stored, at byte ${at}`);
    stack.push(value as TorchValue);
  };
  const line = (): string => {
    const end = bytes.indexOf(10, at);
    if (end < 0 || end - at > stringLimit) fail(`data.pkl has a name without an end at byte ${at}`);
    return decode(take(end + 1 - at), end);
  };
  const decode = (start: number, end: number): string => {
    try {
      return decoder.decode(bytes.subarray(start, end));
    } catch {
      return fail(`data.pkl has a text that is not UTF-8 at byte ${start}`);
    }
  };
  const setItems = (items: readonly TorchValue[]): void => {
    const target = peek();
    if (!(target instanceof Map) || items.length % 2 !== 0) fail(`data.pkl fills what is no dict, at byte ${at}`);
    for (let i = 0; i < items.length; i += 2) (target as Map<TorchValue, TorchValue>).set(items[i]!, items[i + 1]!);
  };
  const append = (items: readonly TorchValue[]): void => {
    const target = peek();
    if (!Array.isArray(target)) fail(`data.pkl appends to what is no list, at byte ${at}`);
    for (const item of items) (target as TorchValue[]).push(item);
  };

  for (;;) {
    const code = bytes[take(1)]!;
    switch (code) {
      case 0x80: {
        const protocol = bytes[take(1)]!;
        if (protocol !== 2) fail(`data.pkl is pickle protocol ${protocol}, torch.save writes 2; save it again so`);
        break;
      }
      case 0x2e: // STOP
        return pop();
      case 0x28: // MARK
        marks.push(stack.length);
        break;
      case 0x4e: // NONE
        stack.push(null);
        break;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        stack.push(code === 0x88);
        break;
      case 0x4b: // BININT1
        stack.push(bytes[take(1)]!);
        break;
      case 0x4d: // BININT2
        stack.push(view.getUint16(take(2), true));
        break;
      case 0x4a: // BININT
        stack.push(view.getInt32(take(4), true));
        break;
      case 0x8a: // LONG1
        stack.push(long(take(1)));
        break;
      case 0x47: // BINFLOAT, the one big-endian number
        stack.push(view.getFloat64(take(8), false));
        break;
      case 0x58: // BINUNICODE
        stack.push(text(view.getUint32(take(4), true)));
        break;
      case 0x7d: // EMPTY_DICT
        stack.push(new Map());
        break;
      case 0x5d: // EMPTY_LIST
        stack.push([]);
        break;
      case 0x29: // EMPTY_TUPLE
        stack.push([]);
        break;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        stack.push(popMany(code - 0x84));
        break;
      case 0x74: // TUPLE
        stack.push(popMark());
        break;
      case 0x75: // SETITEMS
        setItems(popMark());
        break;
      case 0x73: // SETITEM
        setItems(popMany(2));
        break;
      case 0x65: // APPENDS
        append(popMark());
        break;
      case 0x61: // APPEND
        append(popMany(1));
        break;
      case 0x71: // BINPUT
        remember(bytes[take(1)]!);
        break;
      case 0x72: // LONG_BINPUT
        remember(view.getUint32(take(4), true));
        break;
      case 0x68: // BINGET
        recall(bytes[take(1)]!);
        break;
      case 0x6a: // LONG_BINGET
        recall(view.getUint32(take(4), true));
        break;
      case 0x63: {
        const name = `${line()} ${line()}`; // GLOBAL
        if (!allowedGlobals.has(name)) fail(`data.pkl names ${quoted(name.replace(" ", "."))}; ${onlyTensors}`);
        stack.push({ global: name });
        break;
      }
      case 0x51: // BINPERSID
        stack.push({ storage: storageOf(pop(), known) });
        break;
      case 0x52: {
        const args = pop(); // REDUCE
        stack.push(call(pop(), args));
        break;
      }
      case 0x62: {
        pop(); // BUILD: attributes of an OrderedDict, such as a state dict's versions; no values
        if (!(peek() instanceof Map))
          fail(`data.pkl sets attributes of what is no dict, at byte ${at}; ${onlyTensors}`);
        break;
      }
      default:
        fail(`data.pkl has instruction ${opcode(code)} at byte ${at - 1}; ${onlyTensors}`);
    }
  }

  function text(length: number): string {
    if (length > stringLimit && length <= bytes.length - at)
      fail(`data.pkl has a text of ${length} bytes at byte ${at}`);
    const start = take(length);
    return decode(start, start + length);
  }

  /** Little-endian two's complement of up to 8 bytes: more is no size of anything. */
  function long(lengthAt: number): number {
    const length = bytes[lengthAt]!;
    if (length > 8) fail(`data.pkl has a number of ${length} bytes at byte ${at}`);
    const start = take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[start + i]!);
    return Number(BigInt.asIntN(8 * length, value));
  }
}

function opcode(code: number): string {
  const names: Readonly<Record<number, string>> = {
    105: "INST",
    111: "OBJ",
    116: "TUPLE",
    129: "NEWOBJ",
    130: "EXT1",
    131: "EXT2",
    132: "EXT4",
    146: "NEWOBJ_EX",
    147: "STACK_GLOBAL",
    149: "FRAME",
    80: "PERSID",
    50: "DUP",
    139: "LONG4",
    73: "INT",
    76: "LONG",
  };
  return `0x${code.toString(16).padStart(2, "0")}${names[code] ? ` (${names[code]})` : ""}`;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

function fail(problem: string): never {
  throw new ClaraError("weights", `readTorchFile: ${problem}`);
}
