/**
 * The SDK announces coming ends of support for Node versions with process.emitWarning, when the first client is made. stderr belongs to the
 * person who runs the walkthrough; which Node versions are supported is decided by package.json.
 */
export function silenceSdkNotice(): void {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
}
