/** Browsers that report it: https://developer.mozilla.org/docs/Web/API/FeaturePolicy */
interface FeaturePolicyDocument {
  featurePolicy?: { features(): string[]; allowsFeature(name: string): boolean };
}

/**
 * Whether a frame's app has permitted this feature. One that is used nevertheless fails, and the browser reports a violation. What
 * the browser does not report, or does not know, is tried.
 */
export function permitted(feature: "display-capture" | "screen-wake-lock" | "speaker-selection"): boolean {
  const policy = (document as FeaturePolicyDocument).featurePolicy;
  return !policy?.features().includes(feature) || policy.allowsFeature(feature);
}
