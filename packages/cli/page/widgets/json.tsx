import type { JsonValue } from '@turnstore/core'
import { useMemo } from 'preact/hooks'
import { imagesIn } from './images-in.ts'
import { Text } from './text.tsx'

interface Props {
  readonly value: JsonValue
  readonly label: string
  /** Whether it is a section of the page, with a heading. */
  readonly isSection?: boolean
}

/** A value as JSON, or as it is if it is text, with the images in it. */
export function Json({ value, label, isSection = false }: Props) {
  const text = useMemo(() => (typeof value === 'string' ? value : JSON.stringify(value, null, 2)), [value])
  const images = useMemo(() => imagesIn(value), [value])
  return (
    <div class="json" role="group" aria-label={label}>
      {isSection ? <h2>{label}</h2> : <p class="label">{label}</p>}
      {images.map((image, index) => (
        <img
          key={index}
          class="image"
          src={image}
          alt={`Image ${index + 1} of ${label.toLowerCase()}`}
          loading="lazy"
        />
      ))}
      <Text text={text} class="mono" />
    </div>
  )
}
