// What a game backend does with the clients that Kiota and NSwag generate. scripts/checkDotnet.js answers the requests.
using Microsoft.Kiota.Abstractions.Authentication;
using Microsoft.Kiota.Http.HttpClientLibrary;

var baseUrl = args[0];
var user = "player 1/ü";
var tracking = Guid.Parse("3f0b3c1e-7a45-4a1e-9a39-5b0f6c1d2e11");

await Kiota();
await NSwag();
Console.WriteLine("Kiota and NSwag: entitlements with null times, consumes, events and problems are read.");

async Task Kiota()
{
    var adapter = new HttpClientRequestAdapter(new AnonymousAuthenticationProvider()) { BaseUrl = baseUrl };
    var client = new KiotaClient.ShopClient(adapter);

    var owned = await client.Entitlements.Query.PostAsync(new() { UserId = user, Products = ["9NSWORD"] });
    var item = owned!.Items!.Single();
    Check(item.ProductId == "9NSWORD" && item.EndsAt is null && item.AcquiredAt is not null, "entitlement");
    Check(item.Trial!.RemainingSeconds is null, "trial");

    var done = await client.Consumables.Consume.PostAsync(new() { UserId = user, ProductId = "9NCOINS", TrackingId = tracking });
    Check(done!.ConsumeCompleted!.NewQuantity == 70 && done.ConsumePending is null, "completed consume");
    var waiting = await client.Consumables.Consume.PostAsync(new() { UserId = user, ProductId = "PENDING", TrackingId = tracking });
    Check(waiting!.ConsumePending!.Since is not null && waiting.ConsumeCompleted is null, "pending consume");
    var record = await client.Consumables.Consume[user][tracking].GetAsync();
    Check(record!.ConsumeCompleted!.Orders!.Single().Quantity == 30, "record");

    var feed = await client.Events.GetAsync(request => request.QueryParameters.Limit = 10);
    Check(feed!.Events!.Single().ConsumeCompletedEvent!.Data!.NewQuantity == 70, "event");
    var all = (await client.Events.GetAsync(request => request.QueryParameters.Limit = 4))!.Events!;
    Check(all[0].ConsumeCompletedEvent is not null && all[1].ConsumeRejectedEvent!.Data!.TrackingId == tracking.ToString(), "consume events");
    Check(all[2].GrantCompletedEvent!.Data!.LineItems!.Count == 1 && all[3].GrantRejectedEvent!.Data!.OrderId == tracking.ToString(), "grant events");
    try
    {
        await client.GamePass.Query.PostAsync(new() { UserId = "nobody" });
        Check(false, "no problem");
    }
    catch (KiotaClient.Models.Problem problem)
    {
        Check(problem.Code == KiotaClient.Models.Problem_code.Unknown_user, "problem");
    }
}

async Task NSwag()
{
    using var http = new HttpClient();
    var client = new NSwagClient.ShopClient(http) { BaseUrl = baseUrl };

    var owned = await client.EntitlementsAsync(new() { UserId = user, Products = ["9NSWORD"] });
    var item = owned.Items.Single();
    Check(item.ProductId == "9NSWORD" && item.EndsAt is null && item.AcquiredAt is not null, "entitlement");

    var done = await client.ConsumeAsync(new() { UserId = user, ProductId = "9NCOINS", TrackingId = tracking });
    Check(done.NewQuantity == 70, "completed consume");
    try
    {
        await client.ConsumeAsync(new() { UserId = user, ProductId = "PENDING", TrackingId = tracking });
        Check(false, "a pending consume looks completed");
    }
    catch (NSwagClient.ApiException<NSwagClient.ConsumePending> pending)
    {
        Check(pending.StatusCode == 202 && pending.Result.State == "pending", "pending consume");
    }

    var refused = await client.ConsumeRecordAsync("rejected", tracking);
    Check(refused.State == "rejected" && (string)refused.AdditionalProperties["code"] == "store_rejected", "rejected record");

    var feed = await client.EventsAsync(limit: 10, wait: 0);
    Check(feed.Events.Single().Data.NewQuantity == 70, "event");
    // NSwag gives each event the type of the first one: what that type does not have is in AdditionalProperties.
    foreach (var one in (await client.EventsAsync(limit: 4, wait: 0)).Events)
    {
        var more = one.Data.AdditionalProperties;
        var isRight = one.Type switch
        {
            "consume.completed" => one.Data.NewQuantity == 70,
            "consume.rejected" => one.Data.TrackingId == tracking.ToString() && (string)more["code"] == "store_rejected",
            "grant.completed" => one.Data.State == "completed" && (string)more["orderState"] == "Purchased",
            "grant.rejected" => (string)more["orderId"] == tracking.ToString() && (string)more["code"] == "store_rejected",
            _ => false,
        };
        Check(isRight, one.Type);
    }
    try
    {
        await client.GamePassAsync(new() { UserId = "nobody" });
        Check(false, "no problem");
    }
    catch (NSwagClient.ApiException<NSwagClient.Problem> fault)
    {
        Check(fault.Result.Code == NSwagClient.ProblemCode.Unknown_user, "problem");
    }
}

static void Check(bool holds, string what)
{
    if (!holds) throw new InvalidOperationException($"Read wrongly: {what}");
}
