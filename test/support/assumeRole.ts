/** Whose key it is is all that the practice cloud reads: it checks no signature. */
export const SIGNED = 'AWS4-HMAC-SHA256 Credential=AKIAPRACTICE00000000/20260101/eu-central-1/sts/aws4_request';

/** A session of the role that the walk assumes in a practice account, as another program of the person gets it. */
export async function assumeRole(
  endpoint: string,
  account: string,
  name: string,
): Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken: string }> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: SIGNED },
    body: new URLSearchParams({
      Action: 'AssumeRole',
      RoleArn: `arn:aws:iam::${account}:role/OrganizationAccountAccessRole`,
      RoleSessionName: name,
    }),
  });
  const xml = await answer.text();
  const value = (of: string) => new RegExp(`<${of}>([^<]*)<`).exec(xml)?.[1] ?? '';
  return {
    accessKeyId: value('AccessKeyId'),
    secretAccessKey: value('SecretAccessKey'),
    sessionToken: value('SessionToken'),
  };
}
