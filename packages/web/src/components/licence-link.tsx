import { useTexts } from '../i18n/texts.ts'
import { SafeLink } from '../markdown/safe-link.tsx'

/** A model's terms of use: a link, or the name of the licence. */
export function LicenceLink({ license }: { readonly license: string }) {
  const texts = useTexts()
  const isAddress = /^https?:\/\//i.test(license)
  return isAddress ? (
    <SafeLink href={license}>{texts.licence}</SafeLink>
  ) : (
    <span className="licence">{`${texts.licence}: ${license}`}</span>
  )
}
