import { eventsContract } from '../shared/contract/events.ts';
import { serve } from '../shared/http/serve.ts';
import { services } from '../shared/services.ts';

serve(eventsContract, {
  GET: async ({ query }) => ({ body: await services().feed.read(query.limit, query.wait) }),
});
