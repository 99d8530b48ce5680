import { eventsContract } from '../shared/contract/events.ts';
import { serve } from '../shared/http/serve.ts';
import { eventFeed } from '../shared/services/events.ts';

serve(eventsContract, {
  GET: async ({ query }) => ({ body: await eventFeed().read(query.limit, query.wait) }),
});
