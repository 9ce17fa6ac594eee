/** At most this many named error types are kept for a model; what comes after is counted as `other`. */
export const maxTypes = 50;

const maxRead = 512;
const token = /^[a-z][a-z0-9_]{0,63}$/;
const errorToken = /^[a-z][a-z0-9_]{0,57}_error$/;
const exceptionClass = /^[A-Z][A-Za-z0-9_]*(?:Error|Exception|Timeout)$/;

/**
 * What an error is, by the words in it, in lower case; the first row that matches decides. Alternatives of plain words only, so that matching
 * is linear. Classes that say little by themselves (`typeerror:`, `runtimeerror:`) are written with their colon: they count only after the
 * words of their message had no row.
 */
const rules: readonly (readonly [type: string, words: RegExp])[] = [
  ['timeout_error', /time[ds]?[ _-]?out|deadline[ _-]?exceeded|\b(?:http|status|code)[ :=]{0,3}(?:408|504)\b/],
  [
    'rate_limit_error',
    /rate[ _-]?limit|too[ _-]?many[ _-]?requests|throttl|quota[ _-]?exceeded|exceeded your current quota|\b(?:http|status|code)[ :=]{0,3}429\b/,
  ],
  [
    'permission_error',
    /permission|forbidden|unauthori[sz]ed|not[ _-]?authori[sz]ed|unauthenticated|authentication|authorization|access ?(?:is )?denied|accessdenied|eacces|eperm|credential|api[ _-]?key|\b(?:http|status|code)[ :=]{0,3}40[13]\b/,
  ],
  [
    'resource_error',
    /out[ _-]?of[ _-]?memory|memory ?error|oomkilled|\boom\b|allocate memory|alloc_failed|bad_alloc|heap space|resource[ _-]?exhausted|resource ?error|insufficient (?:memory|resources)|no space left|enospc|disk full|emfile|too many open files|stack ?overflow|recursionerror/,
  ],
  [
    'connection_error',
    /connection|connect ?error|connectexception|not connect\b|econn|epipe|broken ?pipe|enotfound|eai_again|unreachable|unknown ?host|name resolution|getaddrinfo|no route to host|socket|hang up|fetch failed|failed to fetch|network|service unavailable|status ?code\.unavailable|bad gateway|\b(?:http|status|code)[ :=]{0,3}50[23]\b/,
  ],
  [
    'model_error',
    /model[ _-]?(?:error|exception|is not|not|failed|failure|crash|load|returned|output|server)|(?:load|loading|loaded) (?:the )?model|inference|predict|tensor|cuda|cudnn|onnx|torch|tensorflow|xgboost|sklearn|weights|checkpoint|cannot be multiplied|not ?fitted|returned nan|nan in output|floating ?point|arithmetic|zerodivision|division by zero/,
  ],
  [
    'validation_error',
    /validat|invalid|illegal ?argument|value ?error|key ?error|index ?error|index ?out ?of ?bounds|attribute ?error|type ?error:|unexpected (?:token|type|value|field)|schema|malformed|missing|required|must be|out of range|number ?format|null ?pointer|class ?cast|decode|parse|parsing|json|bad request|unprocessable|mismatch|\b(?:http|status|code)[ :=]{0,3}4(?:00|22)\b/,
  ],
  ['model_error', /runtime ?error:|internal error/],
];

const typeOfWords = (text: string): string | undefined => rules.find(([, words]) => words.test(text))?.[0];

/** A kind of errors of one's own: those whose message has one of the words in it. Words are plain text in lower case. */
export interface ErrorTypeRule {
  type: string;
  words: readonly string[];
}

/**
 * The snake_case type an error is counted under. In this order:
 * 1. `error_type`, where the producer gives one that is a snake_case token of at most 64 characters; any other text there is read like a message;
 * 2. a message that is, or begins before its first colon with, a token ending in `_error` of at most 64 characters: that token;
 * 3. by the first of `own` that has a word in its first 512 characters, in upper or lower case;
 * 4. a message that begins with an exception's class (`ValueError: …`, `java.net.ConnectException: …`): by the words of the class;
 * 5. by the words of its first 512 characters, see `rules`;
 * 6. `unknown_error`.
 */
export function errorTypeOf(error: string | undefined, error_type?: string, own: readonly ErrorTypeRule[] = []): string {
  if (error_type && isErrorType(error_type)) return error_type;
  return (error_type && typeOfMessage(error_type, own)) || (error && typeOfMessage(error, own)) || 'unknown_error';
}

/** A snake_case token of at most 64 characters. */
export const isErrorType = (text: string): boolean => token.test(text);

function typeOfMessage(message: string, own: readonly ErrorTypeRule[]): string | undefined {
  const text = message.slice(0, maxRead).trim();
  const head = text.split(':', 1)[0] ?? '';
  if (errorToken.test(head)) return head;
  const lower = text.toLowerCase();
  const ofOwn = own.find(({ words }) => words.some((word) => lower.includes(word)));
  if (ofOwn) return ofOwn.type;
  const className = head.slice(head.lastIndexOf('.') + 1);
  const ofClass = exceptionClass.test(className) ? typeOfWords(className.toLowerCase()) : undefined;
  return ofClass ?? typeOfWords(lower);
}

/** `type` where it is known or there is room for one more, else `other`. `known`: the types counted for the model so far. */
export function boundTypes(known: { readonly size: number; has(type: string): boolean }, type: string): string {
  const named = known.size - (known.has('other') ? 1 : 0);
  return known.has(type) || named < maxTypes ? type : 'other';
}
