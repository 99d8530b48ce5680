import { consumeContract } from '../shared/contract/consume.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(consumeContract, {
  POST: ({ body }, call) => services().consumes.consume(call, body),
});
