import Link from 'next/link'

export const metadata = { title: 'Tea shop' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <link rel="stylesheet" href="/style.css" precedence="default" />
      <body>
        <header>
          <Link href="/">Tea shop</Link>
        </header>
        <main>{children}</main>
      </body>
    </html>
  )
}
