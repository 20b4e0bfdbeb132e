import { type FileNative, lengthOf } from './file-native.ts'

export const shareGpt: FileNative = {
  name: 'sharegpt',
  title: 'ShareGPT',
  countItems: file => lengthOf(file, 'conversations') + file.filter(({ system }) => system !== undefined).length,
  write: talks =>
    talks.map(({ system, turns }, index) => ({
      id: `conversation-${index}`,
      ...(system === null ? {} : { system }),
      conversations: turns.flatMap(({ prompt, steps, answer }) => [
        { from: 'human', value: prompt },
        ...steps.flatMap(({ text, calls }) => [
          ...(text === null ? [] : [{ from: 'gpt', value: text }]),
          ...calls.flatMap(({ name, input, output }) => [
            { from: 'function_call', value: JSON.stringify({ name, arguments: input }) },
            { from: 'observation', value: output },
          ]),
        ]),
        ...(answer === null ? [] : [{ from: 'gpt', value: answer }]),
      ]),
    })),
}
