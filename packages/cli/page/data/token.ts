/*
 * The token comes in the URL that the command printed. It moves to the storage of this origin, whose port is part of it,
 * so that a reload and a second tab have it and no other server does.
 */

const KEY = 'turnstore-token'

export function takeToken(): void {
  const url = new URL(location.href)
  const token = url.searchParams.get('token')
  if (token === null) return
  localStorage.setItem(KEY, token)
  url.searchParams.delete('token')
  history.replaceState(null, '', `${url.pathname}${url.hash}`)
}

export function authorization(): { authorization: string } {
  return { authorization: `Bearer ${localStorage.getItem(KEY) ?? ''}` }
}
