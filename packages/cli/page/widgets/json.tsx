import type { JsonValue } from '@turnstore/core'
import { useMemo } from 'preact/hooks'
import { imagesIn } from './images-in.ts'
import { Text } from './text.tsx'

/** A value as JSON, or as it is if it is text, with the images in it. */
export function Json({ value, label }: { readonly value: JsonValue; readonly label: string }) {
  const text = useMemo(() => (typeof value === 'string' ? value : JSON.stringify(value, null, 2)), [value])
  const images = useMemo(() => imagesIn(value), [value])
  return (
    <section class="json" aria-label={label}>
      <h4>{label}</h4>
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
    </section>
  )
}
