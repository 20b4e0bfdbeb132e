import type { JsonObject, JsonValue } from '@turnstore/core'
import { isJsonObject } from '@turnstore/core/adapter'
import type { Conversation, FileDialect } from '../middle/dialect.js'
import { conversation, listOf } from '../middle/entries.js'
import { collectTexts, takeText, textIn, without } from '../middle/say.js'
import { timeOf } from '../middle/time.js'
import { branchesOf, branchIds, type Node } from './branches.js'
import { beginChatGpt } from './chatgpt-message.js'

/** `conversations.json` of an export of ChatGPT. The other branches of a conversation become forks of it. */
export const chatGpt: FileDialect = {
  name: 'chatgpt',
  title: "ChatGPT's conversations.json",
  facts: new Set(['metadata', 'author', 'asset_pointer', 'response_format_name']),
  read: (message, report) => beginChatGpt()(message, report),
  begin: beginChatGpt,
  unit: 'record',
  belonging: () => isRecord,
  split: records => records.flatMap(splitRecord),
}

function isRecord({ mapping }: JsonObject): boolean {
  return isJsonObject(mapping) && Object.values(mapping).every(isNode)
}

function isNode(node: JsonValue): boolean {
  if (!isJsonObject(node) || !('parent' in node || 'children' in node)) return false
  const { message = null } = node
  return message === null || isJsonObject(message)
}

function splitRecord(record: JsonObject): Conversation[] {
  const nodes = nodesOf(isJsonObject(record.mapping) ? record.mapping : {})
  const current = typeof record.current_node === 'string' ? record.current_node : null
  const id = textIn(record, 'conversation_id', 'id') || null
  const branches = branchesOf(nodes, current)
  const reached = new Set(branches.flatMap(({ values }) => values))
  const problems = [
    ...nodes.flatMap(({ value }) =>
      value === null || reached.has(value) ? [] : ['has a message that is on no branch; left out'],
    ),
    ...problemsOf(isJsonObject(record.mapping) ? record.mapping : {}),
  ]
  const { text: title, others: source } = takeText(without(record, ['mapping', ...passing(record, nodes)]), 'title')
  const metadata = { ...(title === '' ? {} : { title }), source }
  const known = { createdAt: timeOf(record.create_time) ?? '', updatedAt: timeOf(record.update_time) ?? '' }
  if (branches.length === 0) return [conversation([], { ...known, sessionId: id, metadata, problems })]
  return branches.map((branch, index) =>
    conversation(branch.values, {
      ...known,
      ...branchIds(id, branch, branches[0]),
      metadata: branches.length > 1 && branch.isCurrent ? { ...metadata, current: true } : metadata,
      problems: index === 0 ? problems : [],
    }),
  )
}

/** What is understood, and changes as the conversation goes on. */
function passing(
  { current_node: current, update_time: updated }: JsonObject,
  nodes: readonly Node<JsonObject>[],
): string[] {
  return [
    ...(nodes.some(({ id }) => id === current) ? ['current_node'] : []),
    ...(timeOf(updated) === undefined ? [] : ['update_time']),
  ]
}

/** What of the tree is in no message. */
function problemsOf(mapping: JsonObject): string[] {
  const isMissing = (id: JsonValue | undefined): boolean =>
    id !== undefined && id !== null && !(typeof id === 'string' && Object.hasOwn(mapping, id))
  return Object.entries(mapping).flatMap(([key, node]) => {
    if (!isJsonObject(node)) return []
    const { id = key, message: _message, parent, children, ...others } = node
    const links = [id, parent, ...(Array.isArray(children) ? children : [children])]
    const texts: string[] = []
    collectTexts(others, texts)
    return [
      ...(id !== key || links.some(isMissing)
        ? ['has an entry whose parent or child is missing; the link is left out']
        : []),
      ...(texts.length > 0 ? ['has text in an entry beside its message; left out'] : []),
    ]
  })
}

/** The entries of the tree, siblings in the order of their parent's list. */
function nodesOf(mapping: JsonObject): Node<JsonObject>[] {
  const places = new Map<string, number>()
  for (const node of Object.values(mapping)) {
    const children = isJsonObject(node) ? listOf(node.children) : []
    for (const [place, child] of children.entries()) if (typeof child === 'string') places.set(child, place)
  }
  const nodes = Object.entries(mapping).flatMap(([id, node]): Node<JsonObject>[] => {
    if (!isJsonObject(node)) return []
    const { parent, message } = node
    return [{ id, parent: typeof parent === 'string' ? parent : null, value: isJsonObject(message) ? message : null }]
  })
  const place = ({ id }: Node<JsonObject>): number => places.get(id) ?? Infinity
  return nodes.toSorted((one, other) => (place(one) === place(other) ? 0 : place(one) - place(other)))
}
