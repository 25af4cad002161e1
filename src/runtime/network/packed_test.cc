// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "runtime/network/runner.h"

namespace halftone::network {
namespace {

// y = relu(w) of a packed (3, 2, 2) constant w: codes -3 ... 8 with a scale per row.
TEST(PackedConstantTest, IsReadAsTheNumbersThatItsCodesStandFor) {
  const Layout& layout = layout_of(LayoutId::int8_channel);
  std::vector<int8_t> codes(16 * 4, 0);
  for (int i = 0; i < 12; ++i) codes[static_cast<size_t>(i)] = static_cast<int8_t>(i - 3);
  std::vector<uint16_t> scales(16, 0);
  const std::array<float, 3> scale_of_row = {0.5F, 1.0F, 2.0F};
  for (size_t row = 0; row < 3; ++row) scales[row] = f32_to_f16(scale_of_row[row]);
  const auto panel = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(layout.panel_bytes(4)));
  layout.pack_panel({4, nullptr, codes.data(), scales.data()}, *panel);
  auto network = std::make_shared<Network>();
  network->values = {"w", "y"};
  network->packed[0] = {{&layout, Order::panel16, 3, 4, *panel}, {3, 2, 2}, panel};
  network->nodes.push_back({Unary{UnaryKind::relu}, "y", {0}, {1}});
  network->outputs.push_back({1, DType::f32, false, {}});
  ASSERT_TRUE(finish(*network).ok());
  ThreadPool pool(2);
  const auto outputs = Runner(network, pool).run({});
  ASSERT_TRUE(outputs.ok()) << outputs.status().message();
  EXPECT_EQ((*outputs)[0].shape(), (Shape{3, 2, 2}));
  const auto values = (*outputs)[0].values<float>();
  for (int i = 0; i < 12; ++i)
    EXPECT_EQ(values[static_cast<size_t>(i)],
              std::max(0.0F, static_cast<float>(i - 3) * scale_of_row[static_cast<size_t>(i / 4)]));
  network->packed[1] = network->packed[0];  // what a node writes, too
  EXPECT_FALSE(finish(*network).ok());
}

}  // namespace
}  // namespace halftone::network
