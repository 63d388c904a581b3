/** Another member can't be reached, or did not answer in time. */
export class MemberUnreachableError extends Error {
  override name = 'MemberUnreachableError';
}
