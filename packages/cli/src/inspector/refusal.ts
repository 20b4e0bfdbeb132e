/** A reply that says no and nothing else. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly allow: string | undefined

  constructor(status: number, code: string, message: string, allow?: string) {
    super(message)
    this.status = status
    this.code = code
    this.allow = allow
  }
}

export function forbidden(message: string): Refusal {
  return new Refusal(403, 'FORBIDDEN', message)
}

export function notFound(): Refusal {
  return new Refusal(404, 'NOT_FOUND', 'There is nothing here')
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, 'BAD_REQUEST', message)
}
