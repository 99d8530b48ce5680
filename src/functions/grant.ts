import { grantContract } from '../shared/contract/grants.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(grantContract, {
  POST: ({ body }, call) => services().grants.grant(call, body),
});
