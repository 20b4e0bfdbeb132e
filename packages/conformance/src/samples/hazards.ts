/** Valid ids that have caused bugs in stores. Each must work, and none may reach another's data. */
export const hazardousIds: readonly string[] = [
  // Paths.
  '../x', '..', '.', '/', '/etc/passwd', 'a/../../b', 'a/b', 'a', 'b', 'base', 'base-evil', '..\\x', 'C:x',
  '\\\\?\\C:\\x', '~', '-rf',
  'x', 'x.json', 'x.json.json', '.json', '.hidden', '.turnstore', 'CON', 'con', 'NUL.json', 'COM1 ', 'COM1', 'COM¹',
  'a.', 'a..',
  'a ', ' a', ' ', 'a:stream', 'a:b', 'a:b:c', 'b:c',
  // Escaping: what an escaped form of another id looks like.
  '%', '%2e%2e%2f', '%252e', '%2E', '..%2f', '%00', 'a%2Fb', 'a%2fb', 'a+b', 'a b', 'a_b', 'a-b', 'aXb', '_', '\\',
  "'", '"', '`', '\\u0061',
  // Case folding and normalization.
  'A', 'ß', 'ss', 'SS', 'ﬁ', 'fi', 'İ', 'i̇', 'i', 'ı', 'I', 'K', 'k', '\u212a', 'é', 'e\u0301', '\u1e9b\u0323', 'Å',
  '\u212b',
  // SQL and patterns.
  "x') OR '1'='1", 't"; DROP TABLE sessions--', '$gt', '*', '?', '[a-z]', 'a*', '[', ']', '^', '$', '.*', '(?i)A',
  'x%',
  // Redis.
  'x:messages', 'x:turns', 'x:', ':x', '{a}b', '{a}', '{}', '}{', '{', '}', '{x}', '{{x}}',
  // JavaScript.
  '__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'null', 'undefined', 'true', '0', '00',
  '-0', '1', '01', '1e3', 'NaN',
  // Unicode.
  '\u202ea', 'a\u200bb', 'ab', '\ufeffa', '\u2028', '😀', '\uff01', '日本語', 'か', 'カ',
  '🍣', '🍺', '👩‍👩‍👧‍👦', '\ufffd', '\ue000',
  // 200 bytes.
  'x'.repeat(200), 'X'.repeat(200), '/'.repeat(200), `${'x'.repeat(199)}y`, 'é'.repeat(100), '😀'.repeat(50),
]

/** Pairs of a workspace and a session that a careless separator makes equal. */
export const hazardousPairs: readonly (readonly [workspaceId: string, sessionId: string])[] = [
  ['a:b', 'c'], ['a', 'b:c'], ['a/b', 'c2'], ['a', 'b/c2'], ['a', 'c3.json'], ['a.json', 'c3'],
  // Together longer than a file name or VARCHAR(255).
  ['w'.repeat(200), `${'s'.repeat(199)}1`], ['w'.repeat(200), `${'s'.repeat(199)}2`],
  ['x', 'turns'], ['w', '__proto__'], ['__proto__', 'w'], ['..', 'up'], ['.', 'here'], ['A', 'fold'], ['a', 'Fold'],
]

export const invalidIds: readonly string[] = [
  '', 'x'.repeat(201), 'é'.repeat(101), '😀'.repeat(51), 'x'.repeat(100_000), 'a\0b', '\0', 'a\nb',
  'a\r\nFLUSHALL\r\n', '\t', '\u001b[2J',
  '\u007f', '\u0080', '\u0085', '\u009f', '\ud800', 'a\udfff', '\udc00\ud800', 'x\n{"level":"info"}',
]

/** Values that are not strings. */
export const noIds: readonly unknown[] = [
  undefined, null, 0, 1, true, {}, [], ['a'], { toString: () => 'a' }, Symbol('a'), 1n,
]

/** Strings that a store may alter, used as content. */
export const hazardousTexts: readonly string[] = [
  '', ' ', '\0', 'a\0b', '\u2028\u2029', '\ufeff', '\ud800', 'a\udfffb', '\udc00\ud800', '\ufffe\uffff', '😀',
  'e\u0301', 'é', '\r\n', '\n', '\t\b',
  '\u001b[31m', '\u007f\u0085', '"\\', '\\u0000', '%s %d', "'; DROP TABLE", '</script>', '\u202e', 'null', '{"a":1}',
  'x'.repeat(70_000),
]

/** Numbers that a store may alter. */
export const hazardousNumbers: readonly number[] = [
  0, 1, -1, -1.5, 0.1, 1e21, 1e-7, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER,
  2 ** 53, 2 ** 63, 2 ** 64,
  1.7976931348623157e308, 123456789.12345678, 1e15, 1e16,
]
