import Link from 'next/link'
import './style.css'

export const metadata = { title: 'Tea shop' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <header>
          <Link href="/">Tea shop</Link>
        </header>
        <main>{children}</main>
      </body>
    </html>
  )
}
